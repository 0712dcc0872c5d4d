import { type Command, Option } from 'commander'
import type { AuditFilterFlags, AuditLogFlags, AuditVerifyFlags } from '../commands/audit.ts'

type Done = <Arguments extends unknown[]>(
  action: (...input: Arguments) => Promise<number>,
) => (...input: Arguments) => Promise<void>

/** `cmdop audit log|verify|export|follow|key`. */
export function addAuditCommands(program: Command, done: Done, signal: AbortSignal): void {
  const audit = program.command('audit').description('who did what, and how it ended')
  const load = () => import('../commands/audit.ts')
  withFilters(audit.command('log').description('list rows of the audit log, the newest first'))
    .option('--limit <count>', 'at most so many (default: 50)')
    .option('--oldest', 'the oldest first')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: AuditLogFlags) => (await load()).auditLogCommand(flags, signal)))
  withFilters(audit.command('follow').description('show rows as they are written'))
    .option('--json', 'print one JSON document a line')
    .action(
      done(async (flags: AuditFilterFlags & { json?: boolean }) => (await load()).auditFollowCommand(flags, signal)),
    )
  withFilters(
    audit.command('export').description('write the log to stdout; without a filter, as JSONL, it can be verified'),
  )
    .addOption(new Option('--format <format>', 'jsonl (default) or csv').choices(['jsonl', 'csv']))
    .action(
      done(async (flags: AuditFilterFlags & { format?: 'jsonl' | 'csv' }) =>
        (await load()).auditExportCommand(flags, signal),
      ),
    )
  audit
    .command('verify')
    .description('prove that an export is what the relay wrote, or name the first row that is not')
    .argument('<file>', 'from: cmdop audit export; - for standard input')
    .option('--key <file>', 'public key of the relay, PEM (default: it is asked of the relay)')
    .option('--checkpoints <file>', 'checkpoints that were kept elsewhere, which the export must have')
    .option('--from-checkpoint <number>', 'take an export that begins with this checkpoint')
    .option('--json', 'print one JSON document')
    .action(
      done(async (file: string, flags: AuditVerifyFlags) => (await load()).auditVerifyCommand(file, flags, signal)),
    )
  audit
    .command('key')
    .description('print the public key that verifies the log; keep it where the relay cannot change it')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: { json?: boolean }) => (await load()).auditKeyCommand(flags, signal)))
}

function withFilters(command: Command): Command {
  return command
    .option('--id <id>', 'only this row')
    .option('--principal <id>', 'only of this principal')
    .option('--principal-name <name>', 'only of principals of this name')
    .option('--principal-kind <kind>', 'human, ai, service, schedule, machine or system')
    .option('--on-behalf-of <id>', 'only done for this person or schedule')
    .option('--key <id>', 'only with this key')
    .option('--action <name>', 'exec, key.issue, or file.* for all that begin so')
    .option('--machine <machine>', 'id, hostname, name or unique prefix')
    .option('--session <id>', 'only in this session')
    .option('--run <id>', 'only of this run')
    .option('--call <id>', 'only of this call')
    .option('--agent-type <type>', 'only of operators of this type')
    .option('--model <model>', 'only with this model')
    .option('--digest <sha256>', 'only of what has this digest')
    .option('--subject <subject>', 'key:<id>, member:<id>, approval:<id>')
    .addOption(new Option('--decision <decision>', 'only these').choices(['allow', 'deny', 'ask']))
    .option('--code <code>', 'how it was refused or failed; unknown: the relay was killed meanwhile')
    .option('--exit-code <code>', 'only commands that ended with it')
    .option('--bytes <count>', 'only so many bytes of input')
    .option('--offset <byte>', 'only input from this byte on')
    .option('--duration-min <time>', 'only what took so long at least: 500ms, 2h')
    .option('--duration-max <time>', 'only what took so long at most')
    .option('--request <id>', 'only of this request')
    .option('--intent <id>', 'this intent and what followed it')
    .option('--chain <name>', 'only of this chain')
    .option('--sequence <number>', 'only at this place of its chain')
    .option('--rule <id>', 'only decided by this rule')
    .option('--approval <id>', 'only under this approval')
    .addOption(new Option('--kind <kind>', 'only these rows').choices(['intent', 'progress', 'outcome']))
    .option('--since <time>', 'from this time on: 2030-01-31T12:00Z, or 2h or 7d for so long ago')
    .option('--until <time>', 'before this time')
}
