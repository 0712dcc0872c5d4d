import {
  type ApprovalAction,
  type ApprovalInfo,
  type ApprovalSummary,
  commandText,
  type GrantInfo,
  MAX_SHOWN_ACTIONS,
  MAX_SHOWN_NAMES,
} from '@cmdop/protocol'
import type {
  ApprovalActionRow,
  ApprovalMember,
  ApprovalOutline,
  ApprovalRow,
  ApprovalVoteRow,
  GrantRow,
  WholeApproval,
} from '../store/approval-store.ts'
import type { Store } from '../store/store.ts'

/** An approval as the API shows it. Of variables it has the names only. */
export function viewOf({ actions, ...head }: WholeApproval): ApprovalInfo {
  const outline = { ...head, members: actions }
  const shown = new Set(shownPositions(outline))
  return infoOf(
    outline,
    actions.filter(({ position }) => shown.has(position)),
  )
}

/** The same, without reading what would run on each of many machines. Undefined: there is no such approval. */
export async function readView(
  { approvals }: Pick<Store, 'approvals'>,
  approvalId: string,
): Promise<{ readonly outline: ApprovalOutline; readonly info: ApprovalInfo } | undefined> {
  const outline = await approvals.outline(approvalId)
  if (outline === undefined) return undefined
  return { outline, info: infoOf(outline, await approvals.actions(approvalId, shownPositions(outline))) }
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

function infoOf(outline: ApprovalOutline, shown: readonly ApprovalActionRow[]): ApprovalInfo {
  const { row, votes, members } = outline
  const groups = groupsOf(members)
  return {
    ...base(row, votes),
    action_count: members.length,
    actions: shown.map(actionView),
    groups: groups.slice(0, MAX_SHOWN_ACTIONS).map(([first, ...rest]) => ({
      machine_id: first.machineId,
      count: rest.length + 1,
      machine_names: [first, ...rest].slice(0, MAX_SHOWN_NAMES).map(({ machineName }) => machineName),
    })),
    group_count: groups.length,
  }
}

/** All of few actions; of many those that stand for a group. */
function shownPositions({ members }: ApprovalOutline): number[] {
  if (members.length <= MAX_SHOWN_ACTIONS) return members.map(({ position }) => position)
  return groupsOf(members)
    .slice(0, MAX_SHOWN_ACTIONS)
    .map(([first]) => first.position)
}

/** Machines on which the same would run; the largest group first, then in order. */
function groupsOf(members: readonly ApprovalMember[]): [ApprovalMember, ...ApprovalMember[]][] {
  const groups = new Map<number, [ApprovalMember, ...ApprovalMember[]]>()
  for (const member of members) {
    const group = groups.get(member.alike)
    if (group === undefined) groups.set(member.alike, [member])
    else group.push(member)
  }
  return Array.from(groups.values()).sort((one, other) => other.length - one.length)
}

function base(
  row: ApprovalRow,
  votes: readonly ApprovalVoteRow[],
): Omit<ApprovalInfo, 'actions' | 'action_count' | 'groups' | 'group_count'> {
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
    fleet_run_id: row.fleetRunId,
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

/** What would run on one machine. */
export function actionView(row: ApprovalActionRow): ApprovalAction {
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
