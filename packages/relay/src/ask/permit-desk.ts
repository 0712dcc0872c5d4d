import {
  type ApprovalInfo,
  askLanes,
  type Channel,
  CmdopError,
  fromWireError,
  isRestMethod,
  JsonLines,
  jsonLine,
  MIN_WINDOW,
  type Open,
  type PermitAnswer,
  PermitRequest,
  toCmdopError,
  toWireError,
} from '@cmdop/protocol'
import type { Decided } from '../channel/gate.ts'

/** Calls of one ask whose permit is being decided at most. */
const MAX_UNDECIDED = 64

export interface PermitDeskOptions {
  readonly channel: Channel
  /** Authorises and signs, for the caller of the ask. */
  readonly decide: (open: Open) => Promise<Decided>
  /** Writes down that it was refused, and throws that. */
  readonly refuse: (open: Open, refusal: CmdopError) => Promise<never>
  /** How an approval stands, once it is decided or after a while. */
  readonly approval: (approvalId: string) => Promise<ApprovalInfo>
}

/**
 * Decides about the calls that the operator of a machine wants to make there. Each is authorised, audited and signed for
 * as if its caller had sent it; one that nobody has reported the end of when the ask is left ends as `connection`.
 */
export class PermitDesk implements Disposable {
  readonly #options: PermitDeskOptions
  readonly #lines = new JsonLines()
  readonly #running = new Map<string, Decided['settled']>()
  #undecided = 0
  #closed = false

  constructor(options: PermitDeskOptions) {
    this.#options = options
  }

  /** Takes a piece of what the machine says. Throws for what is not of this form. */
  receive(data: Uint8Array): void {
    for (const line of this.#lines.push(data)) {
      const request = PermitRequest.parse(line)
      if (request.type === 'ended') this.#settle(request)
      else if (request.type === 'approval') this.#answerApproval(request).catch((cause: unknown) => this.#fail(cause))
      else this.#decide(request).catch((cause: unknown) => this.#fail(cause))
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true
    for (const settled of this.#running.values()) settled(unseen())
    this.#running.clear()
  }

  async #decide(request: Extract<PermitRequest, { type: 'request' }>): Promise<void> {
    const { type: _, ...call } = request
    const { callId, method } = call
    const { target } = this.#options.channel.open
    const open: Open = { ...call, target, window: MIN_WINDOW }
    await this.#within(callId, async () => {
      if (isRestMethod(method) || this.#running.has(callId)) await this.#options.refuse(open, refused(method))
      const { permit, approval = null, settled, begin, unused } = await this.#options.decide(open)
      try {
        await begin()
      } catch (cause) {
        const error = toCmdopError(cause, 'server', 'The relay could not use the approval; nothing ran.')
        unused()
        settled(error)
        throw error
      }
      if (this.#closed) {
        unused()
        settled(unseen())
      } else this.#running.set(callId, settled)
      return { permit, approval }
    })
  }

  async #answerApproval({ callId, approvalId }: Extract<PermitRequest, { type: 'approval' }>): Promise<void> {
    await this.#within(callId, async () => ({ asked: await this.#options.approval(approvalId) }))
  }

  /** Answers with what `work` gives, or why it does not; only so many at a time. */
  async #within(callId: string, work: () => Promise<Partial<PermitAnswer>>): Promise<void> {
    const nothing = { callId, permit: null, approval: null, asked: null, error: null }
    this.#undecided += 1
    try {
      if (this.#undecided > MAX_UNDECIDED) throw refused('so many calls')
      await this.#answer({ ...nothing, ...(await work()) })
    } catch (cause) {
      const error = toCmdopError(cause, 'server', 'The relay could not decide about the call; nothing ran.')
      await this.#answer({ ...nothing, error: toWireError(error) })
    } finally {
      this.#undecided -= 1
    }
  }

  async #answer(answer: PermitAnswer): Promise<void> {
    await this.#options.channel.send(askLanes.permits, jsonLine(answer))
  }

  #settle({ callId, trailer, error }: Extract<PermitRequest, { type: 'ended' }>): void {
    const outcome = error === null ? Buffer.from(trailer === null ? '' : JSON.stringify(trailer)) : undefined
    this.#running.get(callId)?.(outcome ?? fromWireError(error ?? toWireError(unseen()), { idempotent: false }))
    this.#running.delete(callId)
  }

  /** The channel is over, or about to be. */
  #fail(cause: unknown): void {
    this.#options.channel.reset(toCmdopError(cause, 'server', 'A permit could not be sent.'))
  }
}

function refused(method: string): CmdopError {
  return new CmdopError('permission', `An operator gets no permit for ${method} here; nothing ran.`)
}

function unseen(): CmdopError {
  return new CmdopError('connection', 'The relay did not see how the call ended.')
}
