import type { Command } from 'commander'
import type { WebhookAddFlags } from './commands/webhooks.ts'
import type { Done } from './program.ts'

interface Flags {
  json?: boolean
}

/** `cmdop webhooks`. */
export function addWebhookCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/webhooks.ts')
  const webhooks = program.command('webhooks').description('where notifications about approvals go')
  const one = (name: string, description: string) =>
    webhooks.command(name).description(description).option('--json', 'print one JSON document')
  const ofId = (name: string, description: string) =>
    one(name, description).argument('<id>', 'of the webhook, from: cmdop webhooks list')
  one('list', 'list them').action(
    done(async (flags: Flags) => (await load()).listWebhooksCommand({ ...flags, signal })),
  )
  one('add', 'send notifications there; prints the secret that signs them, once')
    .argument('<url>', 'https, or http on loopback')
    .option('--kind <kind>', 'generic (JSON) or slack (what takes incoming webhooks of Slack) (default: generic)')
    .option('--event <state...>', 'states to tell (default: pending, approved, denied, expired, void)')
    .option('--min-danger <danger>', 'tell nothing less dangerous: low, medium, high or critical (default: low)')
    .option('--include-command', 'send commands too, which may hold secrets')
    .action(
      done(async (url: string, flags: WebhookAddFlags) => (await load()).addWebhookCommand(url, { ...flags, signal })),
    )
  for (const [name, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const)
    ofId(name, enabled ? 'send there again' : 'send nothing there for now').action(
      done(async (id: string, flags: Flags) => (await load()).enableWebhookCommand(id, enabled, { ...flags, signal })),
    )
  ofId('remove', 'send nothing there any more, and forget what was sent').action(
    done(async (id: string, flags: Flags) => (await load()).removeWebhookCommand(id, { ...flags, signal })),
  )
  ofId('test', 'send a test at once').action(
    done(async (id: string, flags: Flags) => (await load()).testWebhookCommand(id, { ...flags, signal })),
  )
  ofId('deliveries', 'list what was sent there, the newest first')
    .option('--limit <count>', 'at most so many (default: 50)')
    .action(
      done(async (id: string, flags: Flags & { limit?: string }) =>
        (await load()).listDeliveriesCommand(id, { ...flags, signal }),
      ),
    )
}
