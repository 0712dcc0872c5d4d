import {
  type ApprovalAction,
  type ApprovalInfo,
  type ApprovalSummary,
  commandText,
  type GrantInfo,
} from '@cmdop/protocol'
import type {
  ApprovalActionRow,
  ApprovalRow,
  ApprovalVoteRow,
  GrantRow,
  WholeApproval,
} from '../store/approval-store.ts'

/** An approval as the API shows it. Of variables it has the names only. */
export function viewOf({ row, actions, votes }: WholeApproval): ApprovalInfo {
  return { ...base(row, votes), actions: actions.map(actionView) }
}

/** The same in a list. */
export function summaryOf({
  row,
  votes,
  actionCount,
}: Omit<WholeApproval, 'actions'> & { actionCount: number }): ApprovalSummary {
  return { ...base(row, votes), action_count: actionCount }
}

/** What runs, as a person reads it. */
export function textOf({ action: { method, command, params } }: Pick<ApprovalActionRow, 'action'>): string {
  return command === null ? `${method} ${JSON.stringify(params)}` : commandText(command)
}

/** A grant as the API shows it. */
export function grantView(grant: GrantRow): GrantInfo {
  return {
    id: grant.id,
    approval_id: grant.approvalId,
    machine_id: grant.machineId,
    action_digest: grant.digest,
    text: grant.text,
    granted_to: grant.grantedToId,
    granted_by: grant.grantedById,
    created_at: grant.createdAt,
    expires_at: grant.expiresAt,
    revoked_at: grant.revokedAt,
    uses: grant.uses,
  }
}

function base(row: ApprovalRow, votes: readonly ApprovalVoteRow[]): Omit<ApprovalInfo, 'actions'> {
  return {
    id: row.id,
    fleet_id: row.fleetId,
    state: row.state,
    title: row.title,
    reason: row.reason,
    danger: row.danger,
    danger_reason: row.dangerReason,
    rule: row.rule,
    requester_id: row.requesterId,
    requester_name: row.requesterName,
    requester_kind: row.requesterKind,
    on_behalf_of: row.requesterKind === 'human' ? null : row.personId,
    run_id: row.runId,
    agent_type: row.agentType,
    model: row.model,
    plan_digest: row.planDigest,
    requirement: row.requirement,
    four_eyes: row.fourEyes,
    votes: votes.map(({ personId, personName, vote, reason, at }) => ({
      person_id: personId,
      person_name: personName,
      vote,
      reason,
      at,
    })),
    edited: row.editedBy === null ? null : { by: row.editedBy, from: row.editedFrom ?? '' },
    do_not_retry: row.doNotRetry,
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    decided_at: row.decidedAt,
  }
}

function actionView(row: ApprovalActionRow): ApprovalAction {
  const { method, command, params, cwd, environment, files, restrictions } = row.action
  return {
    machine_id: row.machineId,
    machine_name: row.machineName,
    method,
    text: textOf(row),
    command,
    params,
    cwd,
    environment: environment.map(({ name }) => name),
    files,
    restrictions,
    effect: row.effect,
    action_digest: row.digest,
    state: row.state,
    edited: row.edited,
  }
}
