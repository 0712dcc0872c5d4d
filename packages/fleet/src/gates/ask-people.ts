import type { ApprovalInfo } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import type { FleetClient } from '../fleet-client.ts'
import { persevere } from '../persevere.ts'
import type { FleetMachine } from '../run/fleet-row.ts'
import type { Approved } from './approved-calls.ts'
import type { FleetApproval } from './fleet-approval.ts'

/** A call that is to be approved. */
export interface AskedCall {
  readonly machine: FleetMachine
  readonly method: string
  readonly params: Record<string, unknown>
}

/** Where a run asks. */
export interface Asking {
  readonly client: FleetClient
  readonly runId: string
  /** What the run is for, for people. */
  readonly title: string
  /** Somebody wants it done again: also what people have denied is asked about. */
  readonly again: boolean
  readonly approval: FleetApproval
  /** Writes down that the run waits for this approval; what it gives, that it does no more. */
  readonly waits: (approvalId: string) => Promise<() => Promise<void>>
}

/** What people said. */
export interface Answer {
  /** What they approved, if they did. */
  readonly approved: Approved | undefined
  /** Why nothing of it may run, where they did not. */
  readonly refusal: CmdopError | undefined
  /** Machines that nobody was asked about, and why, by their ids. */
  readonly leftOut: ReadonlyMap<string, CmdopError>
}

/**
 * Asks people about calls of a run, and waits for what they say; of what they have approved before it has the answer at once. Throws
 * `cancelled` with the signal, and what the relay refuses the question with.
 */
export async function askPeople(
  { client, runId, title, again, approval, waits }: Asking,
  { what, calls, signal }: { what: string; calls: readonly AskedCall[]; signal: AbortSignal },
): Promise<Answer> {
  const { requirement, expiresInSeconds, reason, model } = approval
  const question = {
    title: `${title.slice(0, 200)} (${what})`.slice(0, 256),
    actions: calls.map(({ machine, method, params }) => ({ machineId: machine.id, method, params })),
    again,
    ...(reason === undefined ? {} : { reason }),
    ...(requirement === undefined ? {} : { requirement }),
    ...(model === undefined ? {} : { model }),
    ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }),
  }
  const asked = await persevere(() => client.fleetRuns.askApproval(runId, question, { signal }), signal)
  const leftOut = new Map(
    asked.leftOut.map(({ machineId: id, code, message, details }) => [id, new CmdopError(code, message, { details })]),
  )
  if (asked.approval === null) return { approved: undefined, refusal: undefined, leftOut }
  const { id: approvalId, state } = asked.approval
  const info = state === 'pending' ? await decided() : asked.approval
  const refusal = refusalOf(info)
  const approved = refusal === undefined ? { approvalId, expiresAt: Date.parse(info.expiresAt) } : undefined
  return { approved, refusal, leftOut }

  async function decided() {
    const release = await waits(approvalId)
    const decision = await client.approvals.decided(approvalId, { signal })
    await release()
    return decision
  }
}

function refusalOf(info: Pick<ApprovalInfo, 'id' | 'state' | 'votes' | 'doNotRetry'>): CmdopError | undefined {
  const { id: approvalId, state, votes, doNotRetry } = info
  if (state === 'approved' || state === 'executing' || state === 'done') return undefined
  const vote = votes.find((each) => each.vote === 'deny')
  const details = { approvalId, state, reason: vote?.reason ?? '', by: vote?.personName ?? null, doNotRetry }
  const why = vote === undefined || vote.reason === '' ? '' : ` Reason: ${vote.reason}`
  const said =
    vote !== undefined
      ? `${vote.personName} rejected it; nothing ran.${why}`
      : state === 'expired'
        ? 'The approval expired: nobody approved it in time; nothing ran.'
        : 'The question was withdrawn; nothing ran.'
  return new CmdopError('approval_denied', said, { details })
}
