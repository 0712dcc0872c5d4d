import {
  askLanes,
  type Channel,
  CmdopError,
  fromWireError,
  JsonLines,
  jsonLine,
  type Open,
  PermitAnswer,
  type PermitRequest,
  type SignedPermit,
} from '@cmdop/protocol'

/** Calls that wait for their permit at most. */
const MAX_WAITING = 64

type Waiting = PromiseWithResolvers<SignedPermit> & { readonly line: Uint8Array }

/**
 * Asks the relay for a permit for each call that the operator wants to make, on the channel of its ask. Without a channel
 * nothing is permitted: a call waits until somebody is there who may allow it, and is refused when nobody comes.
 */
export class PermitBroker {
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
  async request({ method, callId, params, deadlineMs }: Open): Promise<SignedPermit> {
    if (this.#closed !== undefined) throw this.#closed
    if (this.#waiting.size >= MAX_WAITING || this.#waiting.has(callId))
      throw new CmdopError('unavailable', 'Too many calls wait for a permit; nothing ran.')
    const deadline = deadlineMs === undefined ? {} : { deadlineMs }
    const line = jsonLine({ type: 'request', method, callId, params, ...deadline } satisfies PermitRequest)
    const waiting = { ...Promise.withResolvers<SignedPermit>(), line }
    this.#waiting.set(callId, waiting)
    this.#send(line)
    return waiting.promise
  }

  /** How a permitted call ended, for the relay's audit log. */
  ended(end: Omit<Extract<PermitRequest, { type: 'ended' }>, 'type'>): void {
    this.#send(jsonLine({ type: 'ended', ...end } satisfies PermitRequest))
  }

  /** What the relay says, in pieces. */
  receive(channel: Channel, data: Uint8Array): void {
    if (channel !== this.#channel) return
    for (const line of this.#lines.push(data)) {
      const { callId, permit, error } = PermitAnswer.parse(line)
      const waiting = this.#waiting.get(callId)
      this.#waiting.delete(callId)
      if (permit !== null) waiting?.resolve(permit)
      else waiting?.reject(error === null ? noPermit() : fromWireError(error, { idempotent: false }))
    }
  }

  /** Nothing is permitted any more. */
  close(error: CmdopError): void {
    this.#closed = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  /** What does not arrive is asked again on the next channel. */
  #send(line: Uint8Array): void {
    this.#channel?.send(askLanes.permits, line).catch(() => {})
  }
}

function noPermit(): CmdopError {
  return new CmdopError('permit', 'The relay gave no permit; nothing ran.')
}
