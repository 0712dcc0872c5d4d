import { type Command, Option } from 'commander'
import type { FleetExecFlags, FleetGoOnFlags, FleetReportFlags } from './commands/fleet.ts'
import type { Done } from './program.ts'

/** `cmdop fleet`. */
export function addFleetCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/fleet.ts')
  const fleet = program.command('fleet').description('work on many machines at once')
  const collect = (value: string, all: string[] = []) => [...all, value]
  const goingOn = (command: Command) =>
    command
      .option('--env <NAME=VALUE>', 'an environment that the run began with; values are not kept', collect)
      .option('--format <format>', 'text, json, jsonl, junit or markdown (default: text)')
      .option('--json', 'print one JSON document')
  const members = () => import('./commands/members.ts')
  type SettingsFlags = Parameters<Awaited<ReturnType<typeof members>>['fleetSettingsCommand']>[0]
  fleet
    .command('settings')
    .description('show or change what the fleet decides for all of its members')
    .addOption(new Option('--mfa-required <when>', 'authenticators').choices(['none', 'optional', 'required']))
    .addOption(new Option('--four-eyes <state>', 'who asks does not approve').choices(['on', 'off', 'default']))
    .option('--json', 'print one JSON document')
    .action(done(async (flags: SettingsFlags) => (await members()).fleetSettingsCommand(flags, signal)))
  fleet
    .command('targets')
    .description('list the machines that a selector means; nothing runs')
    .argument('<selector>', "such as 'role=web,env!=dev', 'web-*' or 'web-1 or web-2'")
    .option('--json', 'print one JSON document')
    .action(
      done(async (on: string, flags: { json?: boolean }) => (await load()).targetsCommand(on, { ...flags, signal })),
    )
  goingOn(fleet.command('exec'))
    .description('run a command on each machine')
    .requiredOption('--on <selector>', "machines: 'role=web,env!=dev', 'web-*', 'web-1 or web-2', '*'")
    .option('--waves <sizes>', 'such as 1,25%,100%: counts, or parts of all machines')
    .option('--bake <time>', 'between two waves')
    .option(
      '--max-failures <n>',
      'stop when more machines fail than this, or than this part of all (default: 0 with --waves)',
    )
    .option('--concurrency <n>', 'machines at once (default: 32)')
    .option('--per <label=n>', 'machines at once with the same value of a label: zone=1', collect)
    .option('--timeout <time>', 'that each machine has (default: 10m)')
    .option('--retries <n>', 'tries after the first one, where that cannot act twice')
    .option('--order <order>', 'name, reverse or shuffle (default: name)')
    .option('--cwd <path>', 'where it runs (default: home of the daemon’s user)')
    .option('--shell', 'join the words and run them under /bin/sh -c')
    .option('--title <text>', 'what it is for')
    .option('--run-id <uuid>', 'id of the run; the same one never runs twice')
    .option('--allow-empty', 'no machine is no error')
    .argument('<command...>', 'after --')
    .action(
      done(async (argv: string[], flags: FleetExecFlags) =>
        (await load()).fleetExecCommand(argv, { ...flags, signal }),
      ),
    )
  fleet
    .command('list')
    .description('list fleet runs, the newest first')
    .option('--limit <n>', 'this many (default: 20)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (flags: { limit?: string; json?: boolean }) => (await load()).fleetListCommand({ ...flags, signal })),
    )
  fleet
    .command('status')
    .description('print how a run stands')
    .argument('<run>')
    .option('--json', 'print one JSON document')
    .action(
      done(async (run: string, flags: { json?: boolean }) =>
        (await load()).fleetStatusCommand(run, { ...flags, signal }),
      ),
    )
  fleet
    .command('report')
    .description('print what a run came to, or has so far')
    .argument('<run>')
    .option('--format <format>', 'text, json, jsonl, junit or markdown (default: text)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (run: string, flags: FleetReportFlags) =>
        (await load()).fleetReportCommand(run, { ...flags, signal }),
      ),
    )
  goingOn(fleet.command('resume'))
    .description('go on with a run whose script is gone, or that stopped')
    .argument('<run>')
    .action(
      done(async (run: string, flags: FleetGoOnFlags) => (await load()).fleetResumeCommand(run, { ...flags, signal })),
    )
  goingOn(fleet.command('retry'))
    .description('do it again on machines with some outcomes')
    .argument('<run>')
    .requiredOption('--outcomes <names>', 'such as failed,timeout,unreachable')
    .action(
      done(async (run: string, flags: FleetGoOnFlags & { outcomes: string }) =>
        (await load()).fleetRetryCommand(run, { ...flags, signal }),
      ),
    )
  fleet
    .command('cancel')
    .description('begin no machine any more, and end what runs')
    .argument('<run>')
    .action(done(async (run: string) => (await load()).fleetCancelCommand(run, signal)))
}
