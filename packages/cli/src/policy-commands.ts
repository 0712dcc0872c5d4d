import type { Command } from 'commander'
import type { Done } from './program.ts'

interface Flags {
  machine?: string
  json?: boolean
}

/** `cmdop policy`. */
export function addPolicyCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/policy.ts')
  const policy = program.command('policy').description('which calls are allowed, asked about and denied')
  const one = (name: string, description: string) =>
    policy
      .command(name)
      .description(description)
      .option('--machine <machine>', 'of this machine (default: of the fleet)')
      .option('--json', 'print one JSON document')
  one('show', 'print it').action(done(async (flags: Flags) => (await load()).showPolicyCommand({ ...flags, signal })))
  one('set', 'replace it; the examples of every rule are run first')
    .argument('<file>', 'JSON')
    .action(done(async (file: string, flags: Flags) => (await load()).setPolicyCommand(file, { ...flags, signal })))
  one('mode', 'set what becomes of what no rule is about')
    .argument('<mode>', 'default (reading is allowed, the rest asked about), strict (denied) or bypass (allowed)')
    .action(done(async (mode: string, flags: Flags) => (await load()).policyModeCommand(mode, { ...flags, signal })))
  one('test', 'print what would be decided about commands, and what would permit them; nothing runs')
    .argument('<command...>', 'each as one word')
    .option('--who <kind>', 'human, ai, service or schedule (default: ai)')
    .option('--file <file>', 'try the policy in this file, without a relay')
    .action(
      done(async (commands: string[], flags: Flags & { who?: string; file?: string }) =>
        (await load()).testPolicyCommand(commands, { ...flags, signal }),
      ),
    )
}
