import * as wire from '@cmdop/protocol'
import { createBackoff, isTransient } from './reconnect.ts'
import type { Cancellable } from './cancellable.ts'
import type {
  ApprovalAction,
  ApprovalEvent,
  ApprovalInfo,
  ApprovalList,
  ApprovalSummary,
  GrantInfo,
  GrantList,
} from './resources.ts'
import { type FromWire, fromWire, toQuery, toWire } from './wire-names.ts'
import { countedPages, cursorPages, itemsOf, onePage, rowsOf } from './pages.ts'
import type { RestClient } from './rest-client.ts'
import { wait } from './wait.ts'
import { watchEvents } from './watch-events.ts'

/** Seconds that one question about an approval waits at the relay. */
const WAIT_SECONDS = 20

/** What is told of an approval that a call waits for. */
export interface CallApproval {
  readonly approvalId: string
  readonly state: 'pending' | ApprovalInfo['state']
  /** What it is about, for a person. */
  readonly summary: string
  /** ISO 8601. */
  readonly expiresAt: string
  /** Names of the people who decided. */
  readonly by: readonly string[]
  /** Parameters that a person changed; the call runs with these. */
  readonly edited: Readonly<Record<string, unknown>> | null
}

/** How a call deals with people who have to approve it. */
export interface ApprovalOptions {
  /** Ask a person even where the policy does not. */
  ask?: boolean | undefined
  /** Wait for the decision; otherwise the call rejects with `approval_required`. Default: the client's `waitForApproval`. */
  wait?: boolean | undefined
  /** An approval of a plan that the call is part of. */
  approvalId?: string | undefined
  /** Told when a person is asked, and when one has decided; the call goes on once what it returns has resolved. */
  onApproval?: ((notice: CallApproval) => void | Promise<void>) | undefined
}

/** Where a call waits for people. */
export interface ApprovalWaits {
  /** The approval, once it is decided. Throws `not_found`, and what {@link Cancellable.signal} aborts with. */
  decided(approvalId: string, call: { callId: string; signal: AbortSignal | undefined }): Promise<ApprovalInfo>
  /** The caller does not want it any more. */
  withdraw(approvalId: string): Promise<void>
}

/** Where people are asked about what no machine does by itself. */
export interface MachineApprovals extends ApprovalWaits {
  /** Asks people. Throws `permission`, `policy_denied`. */
  request(body: FromWire<wire.ApprovalRequest>, options?: Cancellable): Promise<ApprovalInfo>
}

/** What a refusal asks for; undefined for any other error. */
export function requiredApproval(error: unknown): wire.ApprovalRequired | undefined {
  if (!wire.isCmdopError(error) || error.code !== 'approval_required') return undefined
  return wire.ApprovalRequired.safeParse(error.details).data
}

/** What is told about an approval. */
export function noticeOf(info: ApprovalInfo): CallApproval {
  const { id: approvalId, state, title: summary, expiresAt, votes, actions } = info
  const by = votes.map(({ personName: name }) => name)
  const [action] = actions
  return { approvalId, state, summary, expiresAt, by, edited: action?.edited ?? null }
}

/** `client.approvals`: questions to people, their answers, and what they granted. */
export class ApprovalsNamespace implements MachineApprovals {
  readonly grants: GrantsNamespace
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
    this.grants = new GrantsNamespace(rest)
  }

  /** Asks people about a plan before anything of it is called. Its calls then name the approval (`approval.approvalId`). */
  request(asked: FromWire<wire.ApprovalRequest>, { signal }: Cancellable = {}): Promise<ApprovalInfo> {
    const body = toWire(wire.ApprovalRequest, asked)
    return this.#rest.call({ method: 'POST', path: '/api/approvals', body, answer: wire.ApprovalInfo, signal })
  }

  /** One page, the newest first. Pass `nextCursor` on as `cursor`. */
  list({ signal, ...given }: Partial<FromWire<wire.ApprovalListQuery>> & Cancellable = {}): Promise<ApprovalList> {
    const query = toQuery(wire.ApprovalListQuery, given)
    return this.#rest.call({ method: 'GET', path: '/api/approvals', query, answer: wire.ApprovalList, signal })
  }

  /** Every approval, page by page as they are needed. */
  iter(
    query: Omit<Partial<FromWire<wire.ApprovalListQuery>>, 'cursor'> & Cancellable = {},
  ): AsyncGenerator<ApprovalSummary> {
    return itemsOf(this.pages(query), ({ id }) => id, query)
  }

  /** Every page. Ends with the last one, and when a page does not lead on. */
  pages(
    query: Omit<Partial<FromWire<wire.ApprovalListQuery>>, 'cursor'> & Cancellable = {},
  ): AsyncGenerator<ApprovalList> {
    return cursorPages((cursor) => this.list({ ...query, cursor }))
  }

  /**
   * What becomes of approvals, as it happens: each (approval, state) once and in order. First what is pending now, or, with
   * `lastEventId`, what came after that event. A lost connection is taken up where it broke off; it ends when `signal` aborts, with
   * `cancelled`. Throws what the first connection fails with, and what another try does not help against.
   */
  async *watch({ lastEventId, signal }: Cancellable & { lastEventId?: string } = {}): AsyncGenerator<
    ApprovalEvent & { id: string }
  > {
    const events = watchEvents(this.#rest, { path: '/api/approvals/events', lastEventId, signal })
    for await (const { id, data } of events) {
      const event = wire.ApprovalEvent.safeParse(data)
      // A state that a newer relay knows is not one that somebody here waits for.
      if (event.success) yield { id, ...fromWire(wire.ApprovalEvent, event.data) }
    }
  }

  /** One approval, with exactly what would run. Throws `not_found`. */
  get(approvalId: string, { signal }: Cancellable = {}): Promise<ApprovalInfo> {
    return this.#rest.call({ method: 'GET', path: pathOf(approvalId), answer: wire.ApprovalInfo, signal })
  }

  /** What would run on each machine, in order; of many machines `get` shows what differs. Throws `not_found`. */
  actions(approvalId: string, { signal }: Cancellable = {}): AsyncGenerator<ApprovalAction> {
    const path = `${pathOf(approvalId)}/actions`
    const call = { method: 'GET', path, answer: wire.ApprovalActionList, signal } as const
    return rowsOf(
      countedPages((cursor) => this.#rest.call({ ...call, query: { cursor } })),
      { signal },
    )
  }

  /** The approval, once it is decided or its time is over; a relay that is away meanwhile is waited for. Throws `not_found`. */
  async decided(approvalId: string, { signal }: Cancellable = {}): Promise<ApprovalInfo> {
    let backoff = createBackoff()
    for (;;) {
      const query = { wait_seconds: WAIT_SECONDS }
      const path = pathOf(approvalId)
      try {
        const info = await this.#rest.call({
          method: 'GET',
          path,
          query,
          answer: wire.ApprovalInfo,
          signal,
          waitsMs: WAIT_SECONDS * 1000,
        })
        if (info.state !== 'pending') return info
        backoff = createBackoff()
        // A relay that is behind with what has expired answers at once.
        await wait(backoff(), signal)
      } catch (error) {
        if (!isTransient(error)) throw error
        await wait(backoff(), signal)
      }
    }
  }

  /**
   * Approves it. `planDigest`: of what you have looked at; `conflict` when it is another by now. `edited`: other parameters that run
   * instead. `grantSeconds`: the requester may do exactly this again for so long.
   */
  approve(
    approvalId: string,
    answer: FromWire<wire.ApprovalApprove>,
    { signal }: Cancellable = {},
  ): Promise<ApprovalInfo> {
    const body = toWire(wire.ApprovalApprove, answer)
    return this.#rest.call({
      method: 'POST',
      path: `${pathOf(approvalId)}/approve`,
      body,
      answer: wire.ApprovalInfo,
      signal,
    })
  }

  /** Denies it; one person is enough. */
  deny(
    approvalId: string,
    answer: FromWire<wire.ApprovalDeny> = {},
    { signal }: Cancellable = {},
  ): Promise<ApprovalInfo> {
    const body = toWire(wire.ApprovalDeny, answer)
    return this.#rest.call({
      method: 'POST',
      path: `${pathOf(approvalId)}/deny`,
      body,
      answer: wire.ApprovalInfo,
      signal,
    })
  }

  /** Takes your own question back. */
  async withdraw(approvalId: string, { signal }: Cancellable = {}): Promise<void> {
    const path = `${pathOf(approvalId)}/withdraw`
    await this.#rest.call({ method: 'POST', path, body: {}, answer: wire.ApprovalInfo, signal })
  }
}

/** `client.approvals.grants`: what may be done again without asking. */
export class GrantsNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** Those of the fleet, the newest first. */
  async list(options: Cancellable = {}): Promise<GrantInfo[]> {
    return (await this.#page(options)).items
  }

  /** Each of them. */
  iter(options: Cancellable = {}): AsyncGenerator<GrantInfo> {
    return itemsOf(this.pages(options), ({ id }) => id, options)
  }

  /** Every page: all are on one. */
  pages(options: Cancellable = {}): AsyncGenerator<GrantList> {
    return onePage(() => this.#page(options))
  }

  /** Ends one at once. */
  revoke(grantId: string, { signal }: Cancellable = {}): Promise<GrantInfo> {
    const path = `/api/grants/${encodeURIComponent(grantId)}`
    return this.#rest.call({ method: 'DELETE', path, answer: wire.GrantInfo, signal })
  }

  #page({ signal }: Cancellable): Promise<GrantList> {
    return this.#rest.call({ method: 'GET', path: '/api/grants', answer: wire.GrantList, signal })
  }
}

/** What a person said no to, as an error. */
export function deniedError(info: ApprovalInfo): wire.CmdopError {
  const vote = info.votes.find((each) => each.vote === 'deny')
  const details = { approvalId: info.id, state: info.state, reason: vote?.reason ?? '', doNotRetry: info.doNotRetry }
  if (vote === undefined)
    return new wire.CmdopError('approval_denied', `Nobody approved it (${info.state}); nothing ran.`, { details })
  const why = vote.reason === '' ? '' : ` Reason: ${vote.reason}`
  const again = info.doNotRetry ? ' Do not ask for it again.' : ''
  return new wire.CmdopError('approval_denied', `${vote.personName} rejected it; nothing ran.${why}${again}`, {
    details,
  })
}

function pathOf(approvalId: string): string {
  return `/api/approvals/${encodeURIComponent(approvalId)}`
}
