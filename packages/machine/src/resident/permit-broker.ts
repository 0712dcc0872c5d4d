import {
  ApprovalInfo,
  askLanes,
  type Channel,
  CmdopError,
  fromWireError,
  JsonLines,
  jsonLine,
  type Open,
  PermitAnswer,
  type PermitRequest,
} from '@cmdop/protocol'
import { type ApprovalWaits, fromWire } from '@cmdop/core'
import type { Given } from '../serve-channel.ts'

/** Calls that wait for their permit at most. */
const MAX_WAITING = 64

type Waiting = PromiseWithResolvers<PermitAnswer> & { readonly line: Uint8Array }

/**
 * Asks the relay for a permit for each call that the operator wants to make, on the channel of its ask. Without a channel
 * nothing is permitted: a call waits until somebody is there who may allow it, and is refused when nobody comes.
 */
export class PermitBroker implements ApprovalWaits {
  readonly #waiting = new Map<string, Waiting>()
  #channel: Channel | undefined
  #lines = new JsonLines()
  #closed: CmdopError | undefined

  /** From now on this channel is asked; what waits is asked there again. */
  attach(channel: Channel): void {
    this.#channel = channel
    this.#lines = new JsonLines()
    for (const { line } of this.#waiting.values()) this.#send(line)
  }

  /** Nobody is there, unless another channel is. */
  detach(channel: Channel): void {
    if (this.#channel === channel) this.#channel = undefined
  }

  /** The permit for a call. Rejects with the relay's refusal, or once the broker is closed. */
  async request({
    method,
    callId,
    params,
    deadlineMs,
    approvalId,
    askApproval,
    operator,
    under,
  }: Open): Promise<Given> {
    const more = { deadlineMs, approvalId, askApproval, operator, under }
    const { permit, approval } = await this.#ask({ type: 'request', method, callId, params, ...more })
    if (permit === null) throw noPermit()
    return { permit, ...(approval === null ? {} : { approval }) }
  }

  async decided(
    approvalId: string,
    { callId, signal }: Parameters<ApprovalWaits['decided']>[1],
  ): ReturnType<ApprovalWaits['decided']> {
    for (;;) {
      signal?.throwIfAborted()
      const { asked } = await this.#ask({ type: 'approval', callId, approvalId })
      if (asked === null) throw noPermit()
      if (asked.state !== 'pending') return fromWire(ApprovalInfo, asked)
    }
  }

  /** The relay does that when the run is over. */
  async withdraw(): Promise<void> {}

  /** How a permitted call ended, for the relay's audit log. */
  ended(end: Omit<Extract<PermitRequest, { type: 'ended' }>, 'type'>): void {
    this.#send(jsonLine({ type: 'ended', ...end } satisfies PermitRequest))
  }

  /** What the relay says, in pieces. */
  receive(channel: Channel, data: Uint8Array): void {
    if (channel !== this.#channel) return
    for (const line of this.#lines.push(data)) {
      const answer = PermitAnswer.parse(line)
      const waiting = this.#waiting.get(answer.callId)
      this.#waiting.delete(answer.callId)
      if (answer.error === null) waiting?.resolve(answer)
      else waiting?.reject(fromWireError(answer.error, { idempotent: false }))
    }
  }

  /** Nothing is permitted any more. */
  close(error: CmdopError): void {
    this.#closed = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  /** One question of a call at a time. */
  async #ask(request: Exclude<PermitRequest, { type: 'ended' }>): Promise<PermitAnswer> {
    if (this.#closed !== undefined) throw this.#closed
    if (this.#waiting.size >= MAX_WAITING || this.#waiting.has(request.callId))
      throw new CmdopError('unavailable', 'Too many calls wait for a permit; nothing ran.')
    const line = jsonLine(request)
    const waiting = { ...Promise.withResolvers<PermitAnswer>(), line }
    this.#waiting.set(request.callId, waiting)
    this.#send(line)
    return waiting.promise
  }

  /** What does not arrive is asked again on the next channel. */
  #send(line: Uint8Array): void {
    this.#channel?.send(askLanes.permits, line).catch(() => {})
  }
}

function noPermit(): CmdopError {
  return new CmdopError('permit', 'The relay gave no permit; nothing ran.')
}
