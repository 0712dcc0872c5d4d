import type { ApprovableAction, ApprovalState, Danger, Requirement, ShownEffect, SignedApproval } from '@cmdop/protocol'
import type { PrincipalKind } from './principals.ts'

/** A question to people. */
export interface ApprovalRow {
  readonly id: string
  readonly fleetId: string
  readonly state: ApprovalState
  readonly title: string
  readonly reason: string
  readonly danger: Danger
  readonly dangerReason: string
  /** The rule that asks, or `caller`. */
  readonly rule: string
  readonly requesterId: string
  readonly requesterName: string
  readonly requesterKind: PrincipalKind
  /** The person behind the request: the requester, or whom it acts for. */
  readonly personId: string
  /** Who made the key with which it was asked, or one that it came from, for somebody else: he may have asked. */
  readonly lentByIds: readonly string[]
  readonly runId: string | null
  /** The fleet run that it is part of: only its calls may use it. */
  readonly fleetRunId: string | null
  /** The generation in which that asked; null outside of one, and from before it was kept. */
  readonly fleetRunGeneration: number | null
  readonly agentType: string | null
  readonly model: string | null
  /** Of the one call that it is about. */
  readonly callId: string | null
  readonly planDigest: string
  readonly requirement: Requirement
  readonly fourEyes: boolean
  /** Whether something is deleted, which no grant covers. */
  readonly deletes: boolean
  readonly editedBy: string | null
  /** The command before it was edited. */
  readonly editedFrom: string | null
  readonly doNotRetry: boolean
  readonly createdAt: string
  readonly expiresAt: string
  readonly decidedAt: string | null
}

/** What it is about, on one machine. */
export interface ApprovalActionRow {
  readonly approvalId: string
  /** From 0. */
  readonly position: number
  readonly machineId: string
  readonly machineName: string
  readonly digest: string
  readonly action: ApprovableAction
  readonly effect: ShownEffect | null
  readonly state: 'waiting' | 'executing' | 'done' | 'failed'
  /** The call that uses it. */
  readonly callId: string | null
  /** Signed when it was approved: the machine takes nothing else. */
  readonly signed: SignedApproval | null
  /** Parameters that a person changed, as the call has to send them. */
  readonly edited: Readonly<Record<string, unknown>> | null
  /** The position of the first one that is the same on another machine; its own where there is none. */
  readonly alike: number
}

/** As much of an action as a list of machines shows. */
export type ApprovalMember = Pick<
  ApprovalActionRow,
  'position' | 'machineId' | 'machineName' | 'digest' | 'state' | 'alike'
>

/** An approval with its machines, without what would run on each. */
export interface ApprovalOutline extends Pick<WholeApproval, 'row' | 'votes'> {
  /** In order. */
  readonly members: readonly ApprovalMember[]
}

/** One action of an approval, and how many of its other ones stand how. */
export interface OneAction extends Pick<WholeApproval, 'row' | 'votes'> {
  readonly action: ApprovalActionRow | undefined
  readonly others: { readonly waiting: number; readonly executing: number; readonly over: number }
}

/** What a decision changes of it. */
export interface OneActionChange {
  readonly row?: Partial<ApprovalRow>
  readonly action?: Pick<ApprovalActionRow, 'state' | 'callId'>
}

/** A person's vote; the last one counts. */
export interface ApprovalVoteRow {
  readonly approvalId: string
  readonly personId: string
  readonly personName: string
  readonly vote: 'approve' | 'deny'
  readonly reason: string
  readonly at: string
}

/** A person who may decide. */
export interface Person {
  readonly id: string
  /** Its role, the lesser ones too, and its labels. */
  readonly groups: readonly string[]
}

/** An approval with all that belongs to it. */
export interface WholeApproval {
  readonly row: ApprovalRow
  readonly actions: readonly ApprovalActionRow[]
  readonly votes: readonly ApprovalVoteRow[]
}

/** What a decision changes. `actions` and `votes` replace what is there. */
export interface ApprovalChange {
  /** Revokes the grants that were given with it, at this time. */
  readonly revokesGrantsAt?: string
  readonly row?: Partial<ApprovalRow>
  readonly actions?: readonly ApprovalActionRow[]
  readonly votes?: readonly ApprovalVoteRow[]
}

/** The position after the last row of a page of approvals, the newest first, then by id. */
export interface ApprovalCursor {
  readonly createdAt: string
  readonly id: string
}

/** What a person let a principal do again on a machine, exactly. */
export interface GrantRow {
  readonly id: string
  readonly fleetId: string
  readonly approvalId: string
  readonly machineId: string
  readonly digest: string
  /** As a person reads it. */
  readonly text: string
  /** Words of the command that may name files, to describe it again. */
  readonly words: readonly string[]
  readonly grantedToId: string
  /** `human`, `ai`, ...: an operator that acts for a person has not what the person was given. */
  readonly grantedToKind: string
  readonly grantedById: string
  readonly createdAt: string
  readonly expiresAt: string
  readonly revokedAt: string | null
  /** When the relay noted that its time was over; no use comes after `expiresAt` anyway. */
  readonly endedAt: string | null
  readonly uses: number
}

/** The approvals and grants of all fleets. */
export interface ApprovalStore {
  /** Adds an approval with its actions and votes, all or none. `conflict` when there is one of that id. */
  create(row: ApprovalRow, actions: readonly ApprovalActionRow[], votes?: readonly ApprovalVoteRow[]): Promise<void>
  get(approvalId: string): Promise<WholeApproval | undefined>
  /** The same, without its machines. */
  head(approvalId: string): Promise<Pick<WholeApproval, 'row' | 'votes'> | undefined>
  /** The same, with what would run on this machine alone. */
  ofMachine(approvalId: string, machineId: string): Promise<WholeApproval | undefined>
  outline(approvalId: string): Promise<ApprovalOutline | undefined>
  /** The actions at these positions, in order; at most 1000. */
  actions(approvalId: string, positions: readonly number[]): Promise<ApprovalActionRow[]>
  /** The newest of this principal about this call. */
  ofCall(requesterId: string, callId: string): Promise<ApprovalRow | undefined>
  /** Of one fleet, the newest first, then by id; `after` continues. */
  list(
    fleetId: string,
    page: { limit: number; after?: ApprovalCursor; state?: ApprovalState; runId?: string; machineId?: string },
  ): Promise<(Omit<WholeApproval, 'actions'> & { actionCount: number })[]>
  /**
   * Compare and set: shows the approval as it is to `decide`, which says what changes, and nobody else changes it in between.
   * What `decide` throws is thrown, and nothing is changed. The answer is the approval afterwards; undefined when there is none.
   */
  change(
    approvalId: string,
    decide: (approval: WholeApproval) => ApprovalChange | undefined,
  ): Promise<WholeApproval | undefined>
  /** {@link change} of one action, however many there are; true: something was changed. Undefined when there is no such approval. */
  changeAction(
    approvalId: string,
    position: number,
    decide: (one: OneAction) => OneActionChange | undefined,
  ): Promise<boolean | undefined>
  /** Of a fleet run, the newest first; at most 1000. */
  ofFleetRun(fleetRunId: string): Promise<ApprovalRow[]>
  /** Ids of what is pending or approved and whose time is over, or that belongs to this run or fleet run. */
  open(select: { expiredAt: string } | { fleetId: string; runId: string }): Promise<string[]>
  /** Questions of this principal that are not answered. */
  countPending(requesterId: string): Promise<number>
  /** The people of a fleet who may decide. */
  people(fleetId: string): Promise<Person[]>
  readonly grants: GrantStore
  readonly events: ApprovalEventStore
}

/** That an approval got into a state. */
export interface ApprovalEventRow {
  /** Counts up over all fleets, in the order in which they came to be. */
  readonly position: number
  readonly fleetId: string
  readonly approvalId: string
  readonly state: ApprovalState
  readonly at: string
}

/** What became of approvals: written together with each change of a state, so that none is ever missing or there twice. */
export interface ApprovalEventStore {
  /** Of one fleet after a position, in order. */
  list(fleetId: string, page: { after: number; limit: number }): Promise<ApprovalEventRow[]>
  /** Of one fleet: that those were asked that are pending still, in order; at most `limit`, the newest. */
  pending(fleetId: string, limit: number): Promise<ApprovalEventRow[]>
  /** The position of the last one of a fleet; 0 before the first. */
  last(fleetId: string): Promise<number>
  /** Those that are not yet marked as told, in order. */
  untold(limit: number): Promise<ApprovalEventRow[]>
  /** Marks them as told, which they stay. */
  told(positions: readonly number[]): Promise<void>
}

/** The grants of all fleets. */
export interface GrantStore {
  /** False where there was one of its approval, digest and person before, also one that is over, or somebody denied the approval. */
  create(grant: GrantRow): Promise<boolean>
  get(grantId: string): Promise<GrantRow | undefined>
  /** Of one fleet, the newest first; at most 500. */
  list(fleetId: string): Promise<GrantRow[]>
  /** Those in force at `now` of this principal on this machine; at most 100. */
  inForce(principalId: string, machineId: string, now: string): Promise<GrantRow[]>
  /** Counts a use; false when it is over or revoked. */
  use(grantId: string, now: string): Promise<boolean>
  /** Those whose time is over at `now` and that were neither revoked nor ended before. */
  over(now: string, limit: number): Promise<GrantRow[]>
  /** Notes that its time is over; false when that is noted already. */
  end(grantId: string, at: string): Promise<boolean>
  /** False when it was revoked before. */
  revoke(grantId: string, at: string): Promise<boolean>
}
