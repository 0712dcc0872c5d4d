import { type Command, Option } from 'commander'
import type { RecordingsFlags } from './commands/recordings.ts'
import type { ReplayFlags } from './commands/replay.ts'
import type { SessionsFlags } from './commands/sessions.ts'
import type { AttachFlags } from './commands/attach.ts'
import type { SshFlags } from './commands/ssh.ts'
import type { Done } from './program.ts'
import { withRestrictionOptions } from './restriction-options.ts'

/** `cmdop ssh`, `attach`, `observe` and `sessions`. */
export function addSessionCommands(program: Command, done: Done, signal: AbortSignal): void {
  withRestrictionOptions(program.command('ssh'))
    .description('open a terminal on a machine, which others can join; ~? shows the keys of cmdop itself')
    .argument('<machine>', 'id, hostname, name or unique prefix; local where no relay is configured')
    .option('--name <name>', 'name of the session, for people')
    .option('--shell <shell>', 'bash, zsh, sh, fish or a path (default: the login shell)')
    .option('--observe', 'watch the newest session of the machine instead')
    .action(
      done(async (machine: string, flags: SshFlags) =>
        (await import('./commands/ssh.ts')).sshCommand(machine, flags, signal),
      ),
    )
  program
    .command('sessions')
    .description('list the sessions that run')
    .option('--machine <machine>', 'only this machine (default: all that are online)')
    .option('--ended', 'also those that are over')
    .option('--json', 'print one JSON document')
    .action(
      done(async (flags: SessionsFlags) => (await import('./commands/sessions.ts')).sessionsCommand(flags, signal)),
    )
  program
    .command('attach')
    .description('join a session that runs; leaving it with ~. leaves it running')
    .argument('<session>', 'id, name or unique prefix, from: cmdop sessions')
    .option('--machine <machine>', 'where it runs (default: any that is online)')
    .option('--observe', 'watch only')
    .option('--take', 'take the keyboard from an AI')
    .action(
      done(async (session: string, flags: AttachFlags) =>
        (await import('./commands/attach.ts')).attachCommand(session, flags, signal),
      ),
    )
}

/** `cmdop recordings` and `replay`. */
export function addRecordingCommands(program: Command, done: Done, signal: AbortSignal): void {
  program
    .command('recordings')
    .description('list what was recorded of sessions and commands, the newest first')
    .option('--machine <machine>', 'only of this one: id, hostname, name or unique prefix')
    .addOption(new Option('--kind <kind>', 'only these').choices(['session', 'exec']))
    .option('--limit <count>', 'at most so many (default: 50)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (flags: RecordingsFlags) =>
        (await import('./commands/recordings.ts')).recordingsCommand(flags, signal),
      ),
    )
  program
    .command('replay')
    .description('play a recording to the terminal as it was')
    .argument('<id>', 'id of a recording, a session or a command')
    .option('--speed <factor>', 'how many times as fast (default: 1)')
    .option('--idle-limit <duration>', 'the longest pause: 500ms, 2s')
    .option('--json', 'print the recording and its events as one JSON document')
    .action(
      done(async (id: string, flags: ReplayFlags) =>
        (await import('./commands/replay.ts')).replayCommand(id, flags, signal),
      ),
    )
}
