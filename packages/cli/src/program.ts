import { CmdopError } from '@cmdop/protocol'
import { Command, CommanderError, Option } from 'commander'
import type { DoctorFlags } from './commands/doctor.ts'
import type { ExecFlags } from './commands/exec.ts'
import type { EnrollFlags, MachineRunFlags, TokenFlags } from './commands/machine.ts'
import type { McpFlags } from './commands/mcp.ts'
import type { RelayFlags } from './commands/relay.ts'
import type { RunFlags } from './commands/run.ts'
import type { UpFlags } from './commands/up.ts'
import { addApprovalCommands } from './approval-commands.ts'
import { addCompletion } from './completion.ts'
import { addEffectCommands, addFileCommands } from './file-commands.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { addFleetCommands } from './fleet-commands.ts'
import { addFleetsCommands } from './fleets-commands.ts'
import { addMachinesCommands } from './machines-commands.ts'
import { namedCommand, typedName } from './named-command.ts'
import { addPlaybookCommands } from './playbook-commands.ts'
import { addPolicyCommands } from './policy-commands.ts'
import { addIdentityCommands } from './identity-commands.ts'
import { withRestrictionOptions } from './restriction-options.ts'
import { addRecordingCommands, addSessionCommands } from './session-commands.ts'
import { reportError, say } from './terminal.ts'
import { CLI_VERSION } from './version.ts'
import { addAuditCommands } from './audit/audit-program.ts'
import { addSkillCommands } from './skill-commands.ts'
import { addScheduleCommands } from './schedule-commands.ts'
import { addTunnelCommands } from './tunnel-commands.ts'
import { addWebhookCommands } from './webhook-commands.ts'

const logLevels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']

/** Runs the command line and resolves to its exit code. Each command's code is loaded only when it is called. */
export async function runProgram(argv: readonly string[], signal: AbortSignal): Promise<number> {
  let exitCode: number = exitCodes.ok
  const json = isJson(argv)
  const done: Done =
    (action) =>
    async (...input) => {
      exitCode = await guarded(() => action(...input), json)
    }
  const program = createProgram(done, signal)
  await addCompletion(program, argv, done)
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return exitCodes.ok
    const command = namedCommand(program, argv)
    if (error.code === 'commander.help') return showHelp(command)
    await reportError(new CmdopError('config', `${misuse(error, command)}. See: ${typedName(command)} --help.`), json)
    return exitCodes.usage
  }
}

/** Makes a commander action of a command's work. */
export type Done = <Arguments extends unknown[]>(
  action: (...input: Arguments) => Promise<number>,
) => (...input: Arguments) => Promise<void>

/** Every command, but what completes them in a shell. */
export function createProgram(done: Done, signal: AbortSignal): Command {
  const program = new Command('cmdop')
    .description('People and AI operators work on machines through one door.')
    .version(CLI_VERSION)
    .exitOverride()
    // An option belongs to the command before it: `cmdop login list --json`.
    .enablePositionalOptions()
    // What commander would print is reported below, in the form of every other error.
    .configureOutput({ writeErr: () => {} })
    .configureHelp({ showGlobalOptions: true })
  addSystemCommands(program, done, signal)
  addMachineCommands(program, done, signal)
  addMachinesCommands(program, done, signal)
  addWorkCommands(program, done, signal)
  addFileCommands(program, done, signal)
  addSessionCommands(program, done, signal)
  addRecordingCommands(program, done, signal)
  addEffectCommands(program, done, signal)
  addFleetCommands(program, done, signal)
  addFleetsCommands(program, done, signal)
  addPlaybookCommands(program, done, signal)
  addApprovalCommands(program, done, signal)
  addPolicyCommands(program, done, signal)
  addAuditCommands(program, done, signal)
  addIdentityCommands(program, done, signal)
  addWebhookCommands(program, done, signal)
  addSkillCommands(program, done, signal)
  addScheduleCommands(program, done, signal)
  addTunnelCommands(program, done, signal)
  return program
}

/** Whether stdout is for one JSON document; what comes after `--` belongs to the command that is run. */
function isJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? argv.length : end).includes('--json')
}

async function showHelp(command: Command): Promise<number> {
  await say(command.helpInformation().trimEnd())
  return exitCodes.usage
}

/** What commander says is wrong. To it, a word that is no command of a group with an action of its own is an argument too many. */
function misuse({ code, message }: CommanderError, command: Command): string {
  if (code === 'commander.excessArguments' && command.commands.length > 0)
    return `unknown command '${message.split(': ').at(-1)?.split(', ')[0]?.replace(/\.$/, '')}'`
  return message.replace(/^error: |\.$/g, '').replaceAll('\n', ' ')
}

function addSystemCommands(program: Command, done: Done, signal: AbortSignal): void {
  withRelayOptions(program.command('up').description('start a relay and this machine'))
    .option('--name <name>', 'name of this machine in its fleet (default: its hostname)')
    .action(done(async (flags: UpFlags) => (await import('./commands/up.ts')).upCommand(flags, signal)))
  withRelayOptions(program.command('relay').description('start a relay')).action(
    done(async (flags: RelayFlags) => (await import('./commands/relay.ts')).relayCommand(flags, signal)),
  )
}

function addMachineCommands(program: Command, done: Done, signal: AbortSignal): void {
  const machine = program.command('machine').description('this machine as part of a fleet')
  machine
    .command('enroll')
    .description('make a key for this machine and join a fleet')
    .requiredOption('--relay <url>', 'address of the relay')
    .option('--token <token>', 'one-time token, from: cmdop machine token (or CMDOP_ENROLL_TOKEN)')
    .option('--insecure', 'send the token over http to another host, where anybody on the way can take it')
    .option('--name <name>', 'name in the fleet (default: the hostname)')
    .option('--label <key=value...>', 'what selectors see of it, such as role=web')
    .option('--data <folder>', 'folder for key and state')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: EnrollFlags) => (await import('./commands/machine.ts')).enrollCommand(flags)))
  machine
    .command('run')
    .description('run the daemon of this machine')
    .option('--label <key=value...>', 'what selectors see of it, such as role=web (default: CMDOP_LABELS)')
    .option('--data <folder>', 'folder for key and state')
    .addOption(new Option('--log-level <level>', 'log on stderr').choices(logLevels))
    .option('--json', 'print one JSON document')
    .action(
      done(async (flags: MachineRunFlags) => (await import('./commands/machine.ts')).machineRunCommand(flags, signal)),
    )
  machine
    .command('token')
    .description('issue a token with which machines enrol')
    .option('--uses <count>', 'how many machines may enrol with it (default: 1)')
    .option('--expires <duration>', 'how long it is good for (default: 1h)')
    .option('--label <key=value...>', 'what selectors see of them, such as role=web, whatever they say')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: TokenFlags) => (await import('./commands/machine.ts')).tokenCommand(flags)))
  machine
    .command('doctor')
    .description('tell which restrictions a machine can hold')
    .argument('[machine]', 'id, hostname, name or unique prefix (default: this one, without its daemon)')
    .option('--data <folder>', 'folder for key and state of this one')
    .option('--json', 'print one JSON document')
    .action(
      done(async (reference: string | undefined, flags: DoctorFlags) =>
        (await import('./commands/doctor.ts')).doctorCommand(reference, flags, signal),
      ),
    )
  machine
    .command('rotate-key')
    .description('give this machine another key, while its daemon runs or not')
    .option('--data <folder>', 'folder for key and state')
    .option('--json', 'print one JSON document')
    .action(
      done(async (flags: { data?: string; json?: boolean }) =>
        (await import('./commands/machine.ts')).rotateKeyCommand(flags, signal),
      ),
    )
  const pin = machine.command('pin').description('what people have to know to ask the operator of this machine')
  pin
    .command('set')
    .description('set the PIN: typed without being shown, or a line of standard input')
    .option('--data <folder>', 'folder for key and state')
    .action(
      done(async (flags: { data?: string }) => (await import('./commands/machine.ts')).setPinCommand(flags, signal)),
    )
  pin
    .command('remove')
    .description('let people ask without a PIN')
    .option('--data <folder>', 'folder for key and state')
    .action(done(async (flags: { data?: string }) => (await import('./commands/machine.ts')).removePinCommand(flags)))
}

function addWorkCommands(program: Command, done: Done, signal: AbortSignal): void {
  withRestrictionOptions(program.command('exec'))
    .description('run a command on a machine; its output and exit code are passed on')
    .argument('<machine>', 'id, hostname, name or unique prefix; local where no relay is configured')
    .argument('<argv...>', 'the command, after --')
    .option('--cwd <directory>', 'absolute directory on the machine')
    .option('--env <name=value...>', 'set variables')
    .option('--deadline <duration>', 'stop the command after this time: 30s, 5m')
    .option('--stdin', 'pass standard input on')
    .option('--shell', 'run the words as one line under /bin/sh -c')
    .option('--json', 'print one JSON document')
    .action(
      done(async (machine: string, argv: string[], flags: ExecFlags) =>
        (await import('./commands/exec.ts')).execCommand(machine, argv, { ...flags, signal }),
      ),
    )
  withRestrictionOptions(program.command('run'))
    .description('give an AI operator a goal on a machine; it answers with a typed value')
    .argument('<prompt>', 'the goal')
    .requiredOption('--machine <machine>', 'id, hostname, name or unique prefix; local where no relay is configured')
    .option('--schema <file>', 'what the answer must be: .ts, .js (Zod) or .json (JSON Schema)')
    .option('--model <name>', 'anthropic:<name>, openai:<name>, compatible:<name> or facts')
    .option('--context <json>', 'data for the operator')
    .option('--max-steps <count>', 'calls of the model at most')
    .option('--deadline <duration>', 'stop the run after this time')
    .option('--json', 'print the whole record as one JSON document')
    .action(
      done(async (prompt: string, flags: RunFlags) =>
        (await import('./commands/run.ts')).runCommand(prompt, flags, signal),
      ),
    )
  withRestrictionOptions(program.command('mcp'))
    .description('offer a machine, or all of the fleet, as an MCP server on standard streams')
    .option('--machine <machine>', 'only this one; local where no relay is configured (default: all of the fleet)')
    .option('--read-only-tools', 'offer only tools that change nothing')
    .option('--http', 'serve streamable HTTP instead')
    .option('--host <address>', 'with --http: address to bind (default: 127.0.0.1)')
    .option('--port <port>', 'with --http: port to bind, 0 for a free one (default: 7421)')
    .option('--token-file <file>', 'with --http: what clients have to send (or CMDOP_MCP_TOKEN; default: a new one)')
    .option('--allow-host <name...>', 'with --http: other names under which clients may call it')
    .option('--insecure-public', 'with --http: bind another address than loopback without TLS')
    .action(done(async (flags: McpFlags) => (await import('./commands/mcp.ts')).mcpCommand(flags, signal)))
}

function withRelayOptions(command: Command): Command {
  return command
    .option('--data <folder>', 'folder for all state')
    .option('--host <address>', 'address to bind (default: 127.0.0.1)')
    .option('--port <port>', 'port to bind, 0 for a free one (default: 7420)')
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'private key, PEM')
    .option('--insecure-public', 'bind another address than loopback without TLS')
    .option('--allow-origin <origin...>', 'web pages that may connect')
    .option(
      '--relay-name <name>',
      'of this relay in the audit log; another one for each relay of a set (default: main)',
    )
    .option('--former-relay-name <name...>', 'names that it had before; what it left open under them is settled')
    .option(
      '--audit-sink <address...>',
      'send checkpoints of the audit log to file:/path, https://…, syslog:tcp://host:514',
    )
    .option('--audit-retention <days>', 'remove rows of the audit log after so many days (default: never)')
    .option('--trust-proxy <range...>', 'addresses of proxies whose X-Forwarded-For is believed')
    .option('--smtp <url>', 'mail server for sign-in codes: smtps://user:password@mail.example (or CMDOP_SMTP_URL)')
    .option('--mail-from <email>', 'sender of these mails')
    .option('--public-url <url>', 'where people reach it, for links in notifications (default: the address it binds)')
    .option('--allow-insecure-webhooks', 'send notifications over http to other hosts too')
    .option('--tunnel-domain <domain>', 'where tunnels are public: <subdomain>.<domain> leads here (default: none is)')
    .option('--tunnel-deny <range...>', 'addresses to which no tunnel leads, beside the metadata of clouds')
    .option('--new-owner-key', 'make another owner key, if every key is lost')
    .addOption(new Option('--log-level <level>', 'log on stderr').choices(logLevels))
    .option('--json', 'print one JSON document')
}

async function guarded(action: () => Promise<number>, json: boolean): Promise<number> {
  try {
    return await action()
  } catch (error) {
    return exitCodeOf((await reportError(error, json)).code)
  }
}
