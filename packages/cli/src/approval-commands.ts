import type { Command } from 'commander'
import type { Done } from './program.ts'

/** `cmdop approvals` and `cmdop grants`. */
export function addApprovalCommands(program: Command, done: Done, signal: AbortSignal): void {
  const load = () => import('./commands/approvals.ts')
  const approvals = program.command('approvals').description('what people are asked before it runs')
  approvals
    .command('list')
    .description('list approvals, the newest first')
    .option('--state <state>', 'pending, approved, executing, done, denied, expired or void')
    .option('--run <id>', 'of this run')
    .option('--limit <count>', 'at most so many (default: 50)')
    .option('--json', 'print one JSON document')
    .action(
      done(async (flags: { state?: string; run?: string; limit?: string; json?: boolean }) =>
        (await load()).listApprovalsCommand({ ...flags, signal }),
      ),
    )
  const one = (name: string, description: string) =>
    approvals
      .command(name)
      .description(description)
      .argument('<id>', 'of the approval, from: cmdop approvals list')
      .option('--json', 'print one JSON document')
  one('show', 'show exactly what would run, where and for whom').action(
    done(async (id: string, flags: { json?: boolean }) => (await load()).showApprovalCommand(id, { ...flags, signal })),
  )
  one('actions', 'print what would run on each machine, in order').action(
    done(async (id: string, flags: { json?: boolean }) =>
      (await load()).approvalActionsCommand(id, { ...flags, signal }),
    ),
  )
  one('approve', 'approve exactly what is shown')
    .option('--digest <digest>', 'plan digest of what you looked at (default: it is shown now, and you are asked)')
    .option('--command <command>', 'run this command instead')
    .option('--reason <text>', 'for the log')
    .option('--grant <duration>', 'let it be done again for so long without asking, such as 2h')
    .action(
      done(
        async (
          id: string,
          flags: { digest?: string; command?: string; reason?: string; grant?: string; json?: boolean },
        ) => (await load()).approveCommand(id, { ...flags, signal }),
      ),
    )
  one('deny', 'deny it; one person is enough')
    .option('--reason <text>', 'for who asks, and its model')
    .option('--retry', 'it may be asked for again')
    .action(
      done(async (id: string, flags: { reason?: string; retry?: boolean; json?: boolean }) =>
        (await load()).denyCommand(id, { ...flags, signal }),
      ),
    )
  approvals
    .command('watch')
    .description('print each question as it comes, and how it ends')
    .option('--json', 'print one JSON document a line')
    .action(done(async (flags: { json?: boolean }) => (await load()).watchApprovalsCommand({ ...flags, signal })))
  const grants = program.command('grants').description('what may be done again without asking')
  grants
    .command('list')
    .description('list grants, the newest first')
    .option('--json', 'print one JSON document')
    .action(done(async (flags: { json?: boolean }) => (await load()).listGrantsCommand({ ...flags, signal })))
  grants
    .command('revoke')
    .description('end a grant at once')
    .argument('<id>', 'of the grant, from: cmdop grants list')
    .option('--json', 'print one JSON document')
    .action(
      done(async (id: string, flags: { json?: boolean }) =>
        (await load()).revokeGrantCommand(id, { ...flags, signal }),
      ),
    )
}
