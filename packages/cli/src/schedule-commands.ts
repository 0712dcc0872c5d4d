import { type Command, Option } from 'commander'
import type { ScheduleFlags, ScheduleListFlags } from './commands/schedules.ts'
import type { Done } from './program.ts'
import { inFleet } from './identity-commands.ts'
import { withRestrictionOptions } from './restriction-options.ts'

interface Flags {
  json?: boolean
}

/** `cmdop schedules`. */
export function addScheduleCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/schedules.ts')
  const schedules = program
    .command('schedules')
    .description('commands and prompts that run on machines at certain times')
  const one = (name: string, description: string) => inFleet(schedules.command(name).description(description))
  const ofId = (name: string, description: string) =>
    one(name, description).argument('<schedule>', 'id or name, from: cmdop schedules list')
  const ofRun = (name: string, description: string) =>
    ofId(name, description).argument('<run>', 'id of the run, from: cmdop schedules runs <schedule>')
  one('list', 'list them').action(
    done(async (flags: ScheduleListFlags) => (await load()).listSchedulesCommand({ ...flags, signal })),
  )
  ofId('get', 'show one').action(
    done(async (id: string, flags: Flags) => (await load()).getScheduleCommand(id, { ...flags, signal })),
  )
  withWork(
    one('create', 'run a command, or ask a prompt, at certain times; it acts for you')
      .requiredOption('--name <name>', 'for people (required)')
      .requiredOption(
        '--cron <expression>',
        "'minute hour day month weekday', seconds may stand in front, or @daily (required)",
      ),
  ).action(done(async (flags: ScheduleFlags) => (await load()).createScheduleCommand({ ...flags, signal })))
  withWork(ofId('update', 'change what is given; who changes what it does is who it acts for'))
    .option('--name <name>', 'for people')
    .option('--cron <expression>', 'when')
    .option('--no-machines', 'name no machine any more')
    .option('--no-restrictions', 'restrict nothing any more')
    .option('--no-notify', 'tell no webhook any more')
    .action(
      done(async (id: string, flags: ScheduleFlags) => (await load()).updateScheduleCommand(id, { ...flags, signal })),
    )
  for (const [name, enabled] of [
    ['pause', false],
    ['resume', true],
  ] as const)
    ofId(name, enabled ? 'let it fire again' : 'let it fire no more for now; what runs goes on').action(
      done(async (id: string, flags: Flags) => (await load()).enableScheduleCommand(id, enabled, { ...flags, signal })),
    )
  ofId('delete', 'delete it with its runs, and end what runs of it').action(
    done(async (id: string, flags: Flags) => (await load()).deleteScheduleCommand(id, { ...flags, signal })),
  )
  ofId('trigger', 'run it now')
    .option('--wait', 'until it is over; exit code 1 where it was no success')
    .action(
      done(async (id: string, flags: Flags & { wait?: boolean }) =>
        (await load()).triggerScheduleCommand(id, { ...flags, signal }),
      ),
    )
  ofId('runs', 'list its runs, the newest first')
    .option('--limit <count>', 'at most so many (default: 50)')
    .action(
      done(async (id: string, flags: ScheduleListFlags) => (await load()).listRunsCommand(id, { ...flags, signal })),
    )
  ofRun('show-run', 'show what a run did on each machine').action(
    done(async (id: string, run: string, flags: Flags) =>
      (await load()).showRunCommand([id, run], { ...flags, signal }),
    ),
  )
  ofRun('cancel', 'end a run with all of its processes').action(
    done(async (id: string, run: string, flags: Flags) =>
      (await load()).cancelRunCommand([id, run], { ...flags, signal }),
    ),
  )
}

/** What it does, where and how. */
function withWork(command: Command): Command {
  const withOwn = command
    .option('--command <command>', 'for /bin/sh -c')
    .option('--prompt <prompt>', 'for the operator on the machine, instead of a command')
    .option('--schema <file>', 'what its answer must be: .json (JSON Schema)')
    .option('--description <text>', 'for people')
    .option('--timezone <zone>', 'in which the expression is meant (default: UTC)')
    .option('--all', 'on all machines of the fleet (the default of a new one)')
    .option('--machine <machine...>', 'only on these: id, hostname, name or unique prefix')
    .option('--selector <selector>', 'only on machines that fit then, such as role=web,env!=dev')
    .option('--timeout <duration>', 'after which the machine ends it (default: 5m)')
    .addOption(
      new Option('--overlap <what>', 'while a run is not over (default: skip)').choices(['skip', 'queue', 'cancel']),
    )
    .option('--retries <count>', 'how often it is tried again on a machine (default: 0)')
    .option('--retry-wait <duration>', 'before each further try (default: 5s)')
    .addOption(
      new Option('--missed <what>', 'for instants at which no relay was there (default: skip)').choices([
        'skip',
        'run_once',
      ]),
    )
    .option('--grace <duration>', 'by how much an instant may be late and still runs (default: 5s)')
    .option('--concurrency <count>', 'machines at once (default: 20)')
    .option('--approval-wait <duration>', 'how long it waits for people where a policy asks them (default: not at all)')
    .option('--max-output <bytes>', 'kept of each machine, from its end, such as 64K (default: 16384)')
    .option('--keep-runs <count>', 'runs that are kept (default: 100)')
    .option('--notify <webhook...>', 'ids of webhooks to tell, from: cmdop webhooks list')
    .option('--notify-on <what...>', 'success, failure, missed (default: failure, missed)')
  return withRestrictionOptions(withOwn)
}
