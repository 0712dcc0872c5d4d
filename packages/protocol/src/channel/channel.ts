import { CmdopError, fromWireError, WireError } from '../errors.ts'
import type { Open } from '../messages/open.ts'
import { dataCost, decodeJson, decodeWindow, encodeData, encodeFrame, encodeReset, encodeWindow, type Frame, frameTypes } from './frame.ts'
import { MAX_TRAILER_BYTES } from './limits.ts'
import { type ReceiveBudget, ReceiveWindow } from './receive-window.ts'
import { SendWindow } from './send-window.ts'

/** The lane of JSON control messages; the other lanes belong to the method. */
export const CONTROL_LANE = 0

/** Content as it arrives, in order over all lanes. */
export interface ChannelMessage {
  readonly lane: number
  readonly data: Uint8Array
}

/** What a channel needs of its connection. */
export interface ChannelHost {
  readonly budget: ReceiveBudget
  send(message: Uint8Array): void
  /** The channel is over and its id will not be used again. */
  release(channel: number): void
}

const encoder = new TextEncoder()
const EMPTY = new Uint8Array(0)

/**
 * One stream of a connection, both ways. Reading is what returns credit: a channel that nobody reads stops its sender.
 * It is over when both sides have ended, or at once by a reset; then `send` rejects, and reading ends or throws.
 */
export class Channel {
  readonly id: number
  readonly open: Open
  readonly #host: ChannelHost
  readonly #sendWindow: SendWindow
  readonly #receiveWindow: ReceiveWindow
  readonly #accepted = Promise.withResolvers<void>()
  readonly #finished = Promise.withResolvers<unknown>()
  #queue: ChannelMessage[] = []
  #wakeReader: (() => void) | undefined
  #trailer: unknown
  #error: CmdopError | undefined
  #localEnded = false
  #remoteEnded = false
  #isAccepted: boolean
  #sending: Promise<void> = Promise.resolve()
  #queuedSends = 0

  constructor(host: ChannelHost, id: number, open: Open | Omit<Open, 'window'>) {
    this.#host = host
    this.id = id
    this.#receiveWindow = new ReceiveWindow(host.budget)
    const incoming = 'window' in open
    this.open = incoming ? open : { ...open, window: this.#receiveWindow.initial }
    this.#sendWindow = new SendWindow(incoming ? open.window : 0)
    this.#isAccepted = incoming
    this.#accepted.promise.catch(() => {})
    this.#finished.promise.catch(() => {})
  }

  /** Of a channel we opened: resolves when the other side accepts it, rejects with its error. */
  get accepted(): Promise<void> {
    return this.#accepted.promise
  }

  /** The other side's trailer once it has ended and all it sent was read; rejects when the channel was reset. */
  get finished(): Promise<unknown> {
    return this.#finished.promise
  }

  /** Of a channel that the other side opened: lets it send. */
  accept(): void {
    this.#host.send(encodeWindow(this.id, this.#receiveWindow.initial))
  }

  /** Sends content, in the order of the calls, cut to fit. Resolves when all of it is on its way; rejects after a reset. */
  send(lane: number, data: Uint8Array): Promise<void> {
    if (data.length === 0 || this.#sendNow(lane, data)) return Promise.resolve()
    this.#queuedSends += 1
    const sent = this.#sending
      .then(() => this.#sendPieces(lane, data))
      .finally(() => {
        this.#queuedSends -= 1
      })
    this.#sending = sent.catch(() => {})
    return sent
  }

  /** Sends a JSON control message. */
  control(message: unknown): Promise<void> {
    return this.send(CONTROL_LANE, encoder.encode(JSON.stringify(message)))
  }

  /** This side sends no more. The trailer is the result, as JSON of at most 16 KiB. */
  async end(trailer?: unknown): Promise<void> {
    await this.#sending
    if (this.#localEnded || this.#error !== undefined) return
    const payload = trailer === undefined ? EMPTY : encoder.encode(JSON.stringify(trailer))
    if (payload.length > MAX_TRAILER_BYTES) throw new CmdopError('frame_too_large', 'The result is over 16 KiB.')
    this.#localEnded = true
    this.#host.send(encodeFrame(frameTypes.end, this.id, payload))
    this.#releaseWhenOver()
  }

  /** Ends the channel for both sides at once, telling the other side why. Idempotent. */
  reset(error: CmdopError): void {
    if (this.#isOver()) return
    this.#host.send(encodeReset(this.id, error))
    this.fail(error)
  }

  /** The channel is over without a word to the other side: its reset arrived, or the connection is gone. */
  fail(error: CmdopError): void {
    if (this.#isOver()) return
    this.#error = error
    this.#accepted.reject(error)
    // What has arrived whole stays readable.
    if (!this.#remoteEnded) {
      this.#queue = []
      this.#finished.reject(error)
    }
    this.#sendWindow.wake()
    this.#wakeReader?.()
    this.#receiveWindow.release()
    this.#host.release(this.id)
  }

  /** Content in order. Ends when the other side has ended; throws when the channel was reset. One reader at a time. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelMessage, void, undefined> {
    for (;;) {
      const message = this.#queue.shift()
      if (message !== undefined) {
        yield message
        this.#consume(dataCost(message.data.length + 1))
      } else if (this.#remoteEnded) return
      else if (this.#error !== undefined) throw this.#error
      else await this.#arrival()
    }
  }

  /** Handles a frame of this channel. Throws for what breaks the rules; the connection then resets the channel. */
  receive(frame: Frame): void {
    if (frame.type === frameTypes.data) this.#receiveData(frame.payload)
    else if (frame.type === frameTypes.window) this.#receiveWindowFrame(frame.payload)
    else if (frame.type === frameTypes.end) this.#receiveEnd(frame.payload)
    else if (frame.type === frameTypes.reset) this.#receiveReset(frame.payload)
    else throw new CmdopError('protocol', 'Expected this channel id to be new.')
  }

  #receiveData(payload: Uint8Array): void {
    const lane = payload[0]
    if (lane === undefined || this.#remoteEnded) throw new CmdopError('protocol', 'Expected a lane, before the end.')
    this.#receiveWindow.arrived(dataCost(payload.length))
    this.#queue.push({ lane, data: payload.subarray(1) })
    this.#wakeReader?.()
  }

  #receiveWindowFrame(payload: Uint8Array): void {
    this.#sendWindow.grant(decodeWindow(payload))
    if (this.#isAccepted) return
    this.#isAccepted = true
    this.#accepted.resolve()
  }

  #receiveEnd(payload: Uint8Array): void {
    if (this.#remoteEnded) throw new CmdopError('protocol', 'Expected one end, got a second one.')
    if (payload.length > MAX_TRAILER_BYTES) throw new CmdopError('protocol', 'Expected a trailer of at most 16 KiB.')
    this.#trailer = payload.length === 0 ? undefined : decodeJson(payload)
    this.#remoteEnded = true
    this.#accepted.resolve()
    this.#settleWhenRead()
    this.#wakeReader?.()
    this.#releaseWhenOver()
  }

  #receiveReset(payload: Uint8Array): void {
    const parsed = WireError.safeParse(decodeJson(payload))
    const unreadable = new CmdopError('protocol', 'The peer reset the channel without a readable reason.')
    this.fail(parsed.success ? fromWireError(parsed.data, { idempotent: parsed.data.retryable }) : unreadable)
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeReader = resolve
    })
  }

  #consume(cost: number): void {
    this.#settleWhenRead()
    if (this.#remoteEnded || this.#error !== undefined) return
    const granted = this.#receiveWindow.consumed(cost)
    if (granted > 0) this.#host.send(encodeWindow(this.id, granted))
  }

  #settleWhenRead(): void {
    if (this.#remoteEnded && this.#queue.length === 0) this.#finished.resolve(this.#trailer)
  }

  /** The usual case, without a promise of its own: nothing waits, and all of it fits. */
  #sendNow(lane: number, data: Uint8Array): boolean {
    const free = this.#queuedSends === 0 && this.#error === undefined && !this.#localEnded
    if (!free || this.#sendWindow.fits(data.length) < data.length) return false
    this.#sendPiece(lane, data)
    return true
  }

  async #sendPieces(lane: number, data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length; ) {
      if (this.#error !== undefined) throw this.#error
      if (this.#localEnded) throw new CmdopError('conflict', 'Expected nothing to be sent after the end.')
      const piece = this.#sendWindow.fits(data.length - offset)
      if (piece === 0) await this.#sendWindow.granted()
      else this.#sendPiece(lane, data.subarray(offset, offset + piece))
      offset += piece
    }
  }

  #sendPiece(lane: number, piece: Uint8Array): void {
    this.#sendWindow.spend(piece.length + 1)
    this.#host.send(encodeData(this.id, lane, piece))
  }

  #isOver(): boolean {
    return this.#error !== undefined || (this.#localEnded && this.#remoteEnded)
  }

  #releaseWhenOver(): void {
    if (!this.#localEnded || !this.#remoteEnded) return
    this.#receiveWindow.release()
    this.#sendWindow.wake()
    this.#host.release(this.id)
  }
}
