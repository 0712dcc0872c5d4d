import { type ApprovalState, CmdopError } from '@cmdop/protocol'
import type {
  ApprovalActionRow,
  ApprovalChange,
  ApprovalRow,
  ApprovalVoteRow,
  OneAction,
  OneActionChange,
  Person,
  WholeApproval,
} from '../store/approval-store.ts'
import { isMet } from './quorum.ts'

/** Which state follows which; what is not here does not happen. `store.approvals.change` makes each a compare and set. */
export const transitions: Readonly<Record<ApprovalState, readonly ApprovalState[]>> = {
  pending: ['approved', 'denied', 'expired', 'void'],
  approved: ['executing', 'denied', 'expired', 'void'],
  executing: ['done', 'denied', 'expired', 'void'],
  done: [],
  denied: [],
  expired: [],
  void: [],
}

/** Whether it can still change. */
export function isOpen(state: ApprovalState): boolean {
  return transitions[state].length > 0
}

/** The people who may have asked: on whose behalf it is, and who may have the key with which it was asked. */
export function askersOf({ personId, lentByIds }: Pick<ApprovalRow, 'personId' | 'lentByIds'>): string[] {
  return [personId, ...lentByIds]
}

/** A person's answer. */
export interface Answer {
  readonly person: Person & { readonly name: string }
  /** Of the plan that the person has looked at. */
  readonly planDigest: string
  readonly reason: string
  readonly at: string
  /** Everybody who may decide now: votes of others do not count. */
  readonly people: readonly Person[]
  /** What the person makes of it. */
  readonly edited?: Edit | undefined
}

/** Another version of the one action. */
export interface Edit {
  readonly action: ApprovalActionRow
  /** What the approval says from now on. */
  readonly row: Pick<
    ApprovalRow,
    'planDigest' | 'editedBy' | 'editedFrom' | 'title' | 'reason' | 'rule' | 'danger' | 'dangerReason' | 'deletes'
  >
}

/** A vote for it; approved once everybody is there who has to be. Throws `conflict`, `permission`. The same again changes nothing. */
export function approved(whole: WholeApproval, answer: Answer): ApprovalChange | undefined {
  const { row, votes } = whole
  const { person, planDigest, reason, at, people, edited } = answer
  const isRepeated = votes.some(({ personId, vote }) => personId === person.id && vote === 'approve')
  if (
    isRepeated &&
    edited === undefined &&
    row.planDigest === planDigest &&
    !['denied', 'void', 'expired'].includes(row.state)
  )
    return undefined
  assertPending(whole, answer)
  if (row.fourEyes && askersOf(row).includes(person.id))
    throw new CmdopError(
      'permission',
      'You asked for this, or it is asked on your behalf or with a key or code that you made: somebody else has to approve it.',
    )
  const vote: ApprovalVoteRow = {
    approvalId: row.id,
    personId: person.id,
    personName: person.name,
    vote: 'approve',
    reason,
    at,
  }
  // Others have approved another version than this one.
  const counted = [...(edited === undefined ? votes.filter(({ personId }) => personId !== person.id) : []), vote]
  const voters = people.filter(({ id }) => counted.some(({ personId }) => personId === id))
  const isEnough = isMet(
    row.requirement,
    voters.filter(({ id }) => !row.fourEyes || id !== row.personId),
  )
  return {
    votes: counted,
    ...(edited === undefined ? {} : { actions: [edited.action] }),
    row: { ...edited?.row, ...(isEnough ? { state: 'approved', decidedAt: at } : {}) },
  }
}

/**
 * A vote against it: one is enough, also after it was approved. Where all of it is with its machines it changes no state, and counts for
 * what comes back unused. Throws `conflict` once it is over. The same again changes nothing.
 */
export function denied(
  whole: WholeApproval,
  { person, reason, at, doNotRetry }: Pick<Answer, 'person' | 'reason' | 'at'> & { doNotRetry: boolean },
): ApprovalChange | undefined {
  const { row, votes, actions } = whole
  if (row.state === 'denied' && votes.some(({ personId, vote }) => personId === person.id && vote === 'deny'))
    return undefined
  if (!isOpen(row.state)) throw over(row.state)
  const vote: ApprovalVoteRow = {
    approvalId: row.id,
    personId: person.id,
    personName: person.name,
    vote: 'deny',
    reason,
    at,
  }
  // What runs already is stopped by who runs it; a denial ends what has not begun.
  const hasBegun = row.state === 'executing' && actions.every(({ state }) => state !== 'waiting')
  return {
    row: { doNotRetry, ...(hasBegun ? {} : { state: 'denied', decidedAt: at }) },
    revokesGrantsAt: at,
    votes: [...votes.filter(({ personId }) => personId !== person.id), vote],
  }
}

/** Withdrawn, or what it was for is over. Nothing changes once it is over itself. */
export function withdrawn({ row }: WholeApproval, at: string): ApprovalChange | undefined {
  return isOpen(row.state) ? { row: { state: 'void', decidedAt: at } } : undefined
}

/** Its time is over. What has begun is not touched; what has not, does not begin any more. */
export function expired({ row }: WholeApproval, at: string): ApprovalChange | undefined {
  if (!isOpen(row.state) || row.expiresAt > at) return undefined
  // Of what nobody decided there is no time of a decision: that is a denial.
  return { row: { state: 'expired', ...(row.state === 'pending' ? {} : { decidedAt: at }) } }
}

/** Who makes a call. */
export interface Requester {
  readonly id: string
  readonly kind: string
}

/** A call that uses one action. */
export interface Use {
  readonly callId: string
  readonly requester: Requester
  readonly at: string
}

/** A call uses one action of it; again only the same call, which the machine runs once. Throws `approval_void`. */
export function used(
  { row, votes, action }: Pick<OneAction, 'row' | 'votes' | 'action'>,
  { callId, requester, at }: Use,
): OneActionChange {
  // What a person was given, an operator that acts for the person was not.
  if (row.requesterId !== requester.id || row.requesterKind !== requester.kind)
    throw unusable('belongs to another requester')
  if (row.state !== 'approved' && row.state !== 'executing') throw unusable(`is ${row.state}`)
  if (row.expiresAt <= at) throw unusable('has expired')
  if (isDenied(votes)) throw unusable('was denied')
  if (action === undefined) throw unusable('is for something else')
  const isAgain = action.state === 'executing' && action.callId === callId
  if (action.state !== 'waiting' && !isAgain) throw unusable('was used on this machine')
  return { row: { state: 'executing' }, action: { state: 'executing', callId } }
}

/** See {@link ended}. */
export type HowEnded = 'done' | 'failed' | 'refused' | 'unused'

/**
 * How the call ended that used it. `refused`: the machine found that it is for something else, which voids it; of a plan over several
 * machines what is approved for the others still holds. `unused`: nothing reached the machine.
 */
export function ended(
  { row, votes, action, others }: OneAction,
  { callId, how, at }: { callId: string; how: HowEnded; at: string },
): OneActionChange | undefined {
  if (action?.callId !== callId || action.state !== 'executing') return undefined
  if (how === 'unused') {
    const isOver = row.state === 'executing' && isDenied(votes)
    return {
      action: { state: 'waiting', callId: null },
      ...(isOver ? { row: { state: 'denied' as const, decidedAt: at } } : {}),
    }
  }
  const after = { state: how === 'done' ? ('done' as const) : ('failed' as const), callId }
  const { waiting, executing, over: otherOver } = others
  if (how === 'refused' && isOpen(row.state) && waiting + executing + otherOver === 0)
    return { row: { state: 'void', decidedAt: at }, action: after }
  const isDone = row.state === 'executing' && waiting + executing === 0
  return { action: after, ...(isDone ? { row: { state: 'done' as const } } : {}) }
}

/** Whether anybody said no, in time or not. */
export function isDenied(votes: readonly ApprovalVoteRow[]): boolean {
  return votes.some(({ vote }) => vote === 'deny')
}

function assertPending({ row }: WholeApproval, { planDigest, at }: Pick<Answer, 'planDigest' | 'at'>): void {
  if (row.state !== 'pending') throw over(row.state)
  if (row.expiresAt <= at) throw over('expired')
  if (row.planDigest !== planDigest)
    throw new CmdopError('conflict', 'This is not what you have looked at: it was changed. Look at it again.')
}

/** What a denial is told that has changed no state. */
export function tooLate(): CmdopError {
  return new CmdopError(
    'conflict',
    'It is with its machine already, and stopped by who runs it. Your denial is put down: should nothing have begun, nothing will.',
    { details: { state: 'executing' satisfies ApprovalState } },
  )
}

function over(state: ApprovalState): CmdopError {
  return new CmdopError('conflict', `The approval is ${state} already; your answer changes nothing.`, {
    details: { state },
  })
}

function unusable(why: string): CmdopError {
  return new CmdopError('approval_void', `Nothing ran: the approval ${why}.`)
}
