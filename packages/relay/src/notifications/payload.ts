import type { Notification } from '@cmdop/protocol'
import { textOf } from '../approvals/approval-view.ts'
import type { ApprovalEventRow, ApprovalRow, WholeApproval } from '../store/approval-store.ts'
import type { PrincipalRow } from '../store/store.ts'

/** Machines and commands in a notification at most, and characters of a command. */
const MAX_MACHINES = 100
const MAX_COMMANDS = 20
const MAX_COMMAND_CHARACTERS = 2000

/** What a notification is made of. */
export interface NotificationSource {
  readonly whole: WholeApproval
  readonly event: Pick<ApprovalEventRow, 'state' | 'at'>
  /** The person or schedule behind the requester, if that is another. */
  readonly behalf: PrincipalRow | undefined
  readonly link: string
  /** Commands may hold secrets, so they are sent only where that is asked for. */
  readonly includeCommand: boolean
}

/** That an approval got into a state, as programs read it. Of variables it has nothing, not even the names. */
export function notificationOf({ whole, event, behalf, link, includeCommand }: NotificationSource): Notification {
  const { row, actions, votes } = whole
  const commands = actions.slice(0, MAX_COMMANDS).map((action) => textOf(action).slice(0, MAX_COMMAND_CHARACTERS))
  return {
    event: `approval.${event.state}`,
    at: event.at,
    fleet_id: row.fleetId,
    approval: {
      id: row.id,
      state: event.state,
      title: includeCommand ? row.title : titleWithoutCommand(whole),
      reason: includeCommand || isRequesters(row) ? row.reason : '',
      danger: row.danger,
      danger_reason: includeCommand ? row.dangerReason : '',
      requester: { id: row.requesterId, name: row.requesterName, kind: row.requesterKind },
      on_behalf_of: behalf === undefined ? null : { id: behalf.id, name: behalf.name, kind: behalf.kind },
      model: row.model,
      machines: actions.slice(0, MAX_MACHINES).map(({ machineName }) => machineName),
      machine_count: actions.length,
      ...(includeCommand ? { commands } : {}),
      plan_digest: row.planDigest,
      created_at: row.createdAt,
      expires_at: row.expiresAt,
      decided_at: row.decidedAt,
      decided_by: votes.map(({ personName }) => personName),
    },
    link,
  }
}

/** What the policy says of a command may hold parts of it; what who asks about a plan says is for people. */
function isRequesters({ callId, editedBy }: ApprovalRow): boolean {
  return callId === null && editedBy === null
}

/**
 * The title of a question about one call begins with its command, and anybody's may hold it. That of a fleet run is mostly made of its
 * command or prompt, which need not be in what is approved: it is never sent.
 */
function titleWithoutCommand({ row, actions }: WholeApproval): string {
  const { title, callId, fleetRunId } = row
  const beginning = title.replace(/ \([^()]*\)$/, '')
  const holdsCommand = actions.some((action) => {
    const text = textOf(action)
    return title.includes(text) || text.startsWith(title) || text.startsWith(beginning)
  })
  const [action] = actions
  if (action === undefined || (callId === null && fleetRunId === null && !holdsCommand)) return title
  const where = actions.length === 1 ? action.machineName : `${actions.length} machines`
  return `${action.action.method} on ${where}`
}
