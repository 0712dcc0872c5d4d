import { type Command, Option } from 'commander'
import type { FleetCopyFlags, FleetExecFlags, FleetRunFlags } from './commands/fleet-begin.ts'
import type { FleetGoOnFlags } from './commands/fleet.ts'
import type { FormatFlags } from './fleet/finish-run.ts'
import type { Done } from './program.ts'
import { withRestrictionOptions } from './restriction-options.ts'

/** `cmdop fleet`. */
export function addFleetCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/fleet.ts')
  const fleet = program.command('fleet').description('work on many machines at once')
  const collect = (value: string, all: string[] = []) => [...all, value]
  const begin = () => import('./commands/fleet-begin.ts')
  const reported = (command: Command) =>
    command
      .option('--format <format>', 'text, json, jsonl, junit, markdown or html (default: text)')
      .option('--json', 'print one JSON document')
  const goingOn = (command: Command) =>
    reported(command)
      .option('--env <NAME=VALUE>', 'an environment that the run began with; values are not kept', collect)
      .option('--schema <file>', 'the schema that a run of operators began with')
  const beginning = (command: Command) =>
    command
      .option('--on <selector>', "machines: 'role=web,env!=dev', 'web-*', 'web-1 or web-2', '*'")
      .option('--on-run <run:outcomes>', 'machines of a run, or those that ended so: <run>:failed,timeout', collect)
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
      .option('--not-after <instant>', 'no machine begins from then on: 2030-01-01T06:00:00Z, or 10m from now')
      .option('--queue <time>', 'wait for machines that are offline until the run is this old')
      .option('--at-least-once', 'do it again where nobody knows whether it was done')
      .option('--title <text>', 'what it is for')
      .option('--run-id <uuid>', 'id of the run; the same one never runs twice')
      .option('--approval <when>', 'people approve it before, each wave, each machine, or the effects of a dry run')
      .option('--allow-empty', 'no machine is no error')
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
  fleet
    .command('ping')
    .description('ask the daemon of each machine for a sign of life; nothing runs')
    .argument('<selector>', 'as of targets')
    .option('--timeout <time>', 'such as 500ms or 10s (default: 5s)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (on: string, flags: { json?: boolean; timeout?: string }) =>
        (await load()).pingCommand(on, { ...flags, signal }),
      ),
    )
  withRestrictionOptions(beginning(reported(fleet.command('exec'))))
    .description('run a command on each machine')
    .option('--cwd <path>', 'where it runs (default: home of the daemon’s user)')
    .option('--env <NAME=VALUE>', 'set for the command (repeatable)', collect)
    .option('--shell', 'join the words and run them under /bin/sh -c')
    .argument('<command...>', 'after --')
    .action(
      done(async (argv: string[], flags: FleetExecFlags) =>
        (await begin()).fleetExecCommand(argv, { ...flags, signal }),
      ),
    )
  withRestrictionOptions(beginning(reported(fleet.command('run'))))
    .description('have an AI operator work on each machine')
    .option('--schema <file>', 'JSON Schema, or a module that exports a schema, which each answer must fit')
    .option('--model <name>', 'such as anthropic:<name> (default: what the environment configures)')
    .option('--max-steps <n>', 'calls of the model on each machine (default: 20)')
    .option('--total-steps <n>', 'calls of the model on all machines; then no further one begins')
    .option('--total-tokens <n>', 'tokens of all machines')
    .option('--total-usd <n>', 'US dollars of all machines')
    .option('--env <NAME=VALUE>', 'set for its commands (repeatable)', collect)
    .argument('<prompt>')
    .action(
      done(async (prompt: string, flags: FleetRunFlags) =>
        (await begin()).fleetRunCommand(prompt, { ...flags, signal }),
      ),
    )
  beginning(reported(fleet.command('copy')))
    .description('copy a file or directory of this computer to a path of each machine')
    .option('-r, --recursive', 'a directory with all that is in it')
    .option('--preserve', 'times, and every bit of the mode')
    .option('--no-overwrite', 'leave a file that is there with another content alone, and fail there')
    .option('--parents', 'make the directories above the destination')
    .option('--collect', 'the other way: from a path of each machine into a folder of this computer')
    .argument('<source>')
    .argument('<destination>')
    .action(
      done(async (source: string, destination: string, flags: FleetCopyFlags) =>
        (await begin()).fleetCopyCommand(source, destination, { ...flags, signal }),
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
    .option('--format <format>', 'text, json, jsonl, junit, markdown or html (default: text)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (run: string, flags: FormatFlags) => (await load()).fleetReportCommand(run, { ...flags, signal })),
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
    .command('pause')
    .description('begin no machine until a person continues it')
    .argument('<run>')
    .option('--reason <text>', 'for people')
    .action(
      done(async (run: string, flags: { reason?: string }) =>
        (await load()).fleetPauseCommand(run, { ...flags, signal }),
      ),
    )
  fleet
    .command('continue')
    .description('let a run go on that waits for a person')
    .argument('<run>')
    .action(done(async (run: string) => (await load()).fleetContinueCommand(run, signal)))
  fleet
    .command('cancel')
    .description('begin no machine any more, and end what runs')
    .argument('<run>')
    .action(done(async (run: string) => (await load()).fleetCancelCommand(run, signal)))
}
