import { CmdopError } from '@cmdop/protocol'
import type { WholeApproval } from '../store/approval-store.ts'

/** Also one of another fleet. */
export function noSuchApproval(): CmdopError {
  return new CmdopError('not_found', 'There is no such approval in your fleet.')
}

/** People have not decided yet. */
export function required({ row }: Pick<WholeApproval, 'row'>): CmdopError {
  const { id: approvalId, expiresAt, title: summary } = row
  return new CmdopError(
    'approval_required',
    `A person has to approve this first; nothing ran. See: cmdop approvals show ${approvalId}`,
    { details: { approvalId, expiresAt, summary } },
  )
}

/** It is there, and not for this call, or not any more. */
export function unusable(why: string): CmdopError {
  return new CmdopError('approval_void', `Nothing ran: the approval ${why}.`)
}
