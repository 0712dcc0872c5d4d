import { CmdopError } from '../errors.ts'
import type { Open } from '../messages/open.ts'
import {
  dataCost,
  decodeJson,
  decodeReset,
  decodeWindow,
  encodeFrame,
  encodeReset,
  encodeWindow,
  type Frame,
  frameTypes,
} from './frame.ts'
import { MAX_CONTROL_BYTES, MAX_DATA_BYTES, MAX_TRAILER_BYTES, MIN_DATA_COST } from './limits.ts'
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
  /** Sends a data frame; its content stays the channel's user's. */
  sendData(channel: number, lane: number, content: Uint8Array): void
  /** The channel is over and its id will not be used again. */
  release(channel: number): void
}

/** How many times its size content may keep in memory while it is not read: a full frame of a socket's buffer is not copied. */
const KEPT_RATIO = 8

const encoder = new TextEncoder()
const EMPTY = new Uint8Array(0)

/**
 * One stream of a connection, both ways. Reading is what returns credit: a channel that nobody reads stops its sender.
 * It is over when both sides have ended, or at once by a reset; then `send` rejects, and reading ends or throws.
 */
export class Channel {
  readonly id: number
  readonly open: Open
  /** Given, it takes control messages as they arrive, ahead of content that is not read yet. Throwing resets the channel. */
  onControl: ((message: unknown) => void) | undefined
  /** What {@link Channel.end} was given. */
  ownTrailer: unknown
  readonly #host: ChannelHost
  readonly #sendWindow: SendWindow
  readonly #receiveWindow: ReceiveWindow
  readonly #accepted = Promise.withResolvers<void>()
  readonly #finished = Promise.withResolvers<unknown>()
  readonly #over = Promise.withResolvers<void>()
  #queue: ChannelMessage[] = []
  #arrival: PromiseWithResolvers<void> | undefined
  #trailer: unknown
  #error: CmdopError | undefined
  #isEnding = false
  #localEnded = false
  #remoteEnded = false
  #isAccepted: boolean
  #mayAccept: boolean
  #sending: Promise<void> = Promise.resolve()
  #queuedSends = 0
  #queuedControls = 0

  constructor(host: ChannelHost, id: number, open: Open | Omit<Open, 'window'>) {
    this.#host = host
    this.id = id
    this.#receiveWindow = new ReceiveWindow(host.budget)
    const incoming = 'window' in open
    this.open = incoming ? open : { ...open, window: this.#receiveWindow.initial }
    this.#sendWindow = new SendWindow(incoming ? open.window : 0)
    this.#isAccepted = incoming
    this.#mayAccept = incoming
    this.#accepted.promise.catch(() => {})
    this.#finished.promise.catch(() => {})
    this.#over.promise.catch(() => {})
  }

  /** Of a channel we opened: resolves when the other side accepts it, rejects with its error. */
  get accepted(): Promise<void> {
    return this.#accepted.promise
  }

  /** The other side's trailer once it has ended and all it sent was read; rejects when the channel was reset. */
  get finished(): Promise<unknown> {
    return this.#finished.promise
  }

  /** Resolves when both sides have ended; rejects when the channel was reset, also after the other side's end. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  /** Of a channel that the other side opened: lets it send. Idempotent. */
  accept(): void {
    if (!this.#mayAccept || this.#isOver()) return
    this.#mayAccept = false
    this.#host.send(encodeWindow(this.id, this.#receiveWindow.initial))
  }

  /**
   * Sends content, in the order of the calls, cut to fit. Resolves when all of it is on its way, until when the caller
   * leaves `data` as it is; rejects after a reset and after {@link Channel.end}.
   */
  send(lane: number, data: Uint8Array): Promise<void> {
    const refusal = this.#error ?? (this.#isEnding ? afterEnd() : undefined)
    if (refusal !== undefined) return Promise.reject(refusal)
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

  /**
   * Sends a JSON control message, whole, ahead of content that waits for credit: a cancel must not wait for a reader
   * that has stopped. One over {@link MAX_CONTROL_BYTES} is refused.
   */
  control(message: unknown): Promise<void> {
    const data = encoder.encode(JSON.stringify(message))
    if (data.length > MAX_CONTROL_BYTES) return Promise.reject(controlTooLarge())
    const isFree = this.#queuedControls === 0 && this.#error === undefined && !this.#isEnding
    if (!isFree || !this.#sendWindow.fitsControl(data.length)) return this.#queueControl(data)
    this.#sendPiece(CONTROL_LANE, data)
    return Promise.resolve()
  }

  /**
   * This side sends no more than what it has been given so far. The trailer is the result, as JSON of at most 16 KiB;
   * a larger one is refused and nothing ends. Idempotent.
   */
  async end(trailer?: unknown): Promise<void> {
    const payload = trailer === undefined ? EMPTY : encoder.encode(JSON.stringify(trailer))
    if (payload.length > MAX_TRAILER_BYTES) throw new CmdopError('frame_too_large', 'The result is over 16 KiB.')
    if (!this.#isEnding) this.ownTrailer = trailer
    this.#isEnding = true
    await this.#sending
    if (this.#localEnded || this.#error !== undefined) return
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
    this.#over.reject(error)
    // What has arrived whole stays readable.
    if (!this.#remoteEnded) {
      this.#queue = []
      this.#finished.reject(error)
    }
    this.#sendWindow.wake()
    this.#wakeReaders()
    this.#receiveWindow.release()
    this.#host.release(this.id)
  }

  /**
   * Content in order. Ends when the other side has ended; throws when the channel was reset. What a reader has taken is
   * read: stopping early loses nothing, and the next reader goes on from there. Several at once share the messages.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelMessage, void, undefined> {
    for (;;) {
      const message = this.#queue.shift()
      if (message !== undefined) {
        // Before the reader has it: a reader that does not come back must not keep credit.
        this.#consume(dataCost(message.data.length + 1))
        yield message
      } else if (this.#remoteEnded) return
      else if (this.#error !== undefined) throw this.#error
      else await this.#nextArrival()
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
    if (payload.length > MAX_DATA_BYTES + 1)
      throw new CmdopError('frame_too_large', `Expected at most ${MAX_DATA_BYTES} bytes in one frame.`)
    this.#receiveWindow.arrived(dataCost(payload.length))
    if (lane === CONTROL_LANE && this.onControl !== undefined) {
      this.onControl(decodeJson(payload.subarray(1)))
      this.#consume(dataCost(payload.length))
      return
    }
    this.#queue.push({ lane, data: keepable(payload.subarray(1)) })
    this.#wakeReaders()
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
    this.#wakeReaders()
    this.#releaseWhenOver()
  }

  #receiveReset(payload: Uint8Array): void {
    this.fail(decodeReset(payload))
  }

  /** Resolves for all who wait when something has arrived or the channel is over. */
  #nextArrival(): Promise<void> {
    this.#arrival ??= Promise.withResolvers<void>()
    return this.#arrival.promise
  }

  #wakeReaders(): void {
    this.#arrival?.resolve()
    this.#arrival = undefined
  }

  #consume(cost: number): void {
    this.#settleWhenRead()
    if (this.#remoteEnded || this.#error !== undefined) return
    const granted = this.#receiveWindow.consumed(cost)
    if (granted > 0) this.#host.send(encodeWindow(this.id, granted))
  }

  #settleWhenRead(): void {
    if (!this.#remoteEnded || this.#queue.length > 0) return
    this.#finished.resolve(this.#trailer)
    this.#receiveWindow.release()
  }

  /** In order with content, when there is no credit even for this. */
  async #queueControl(data: Uint8Array): Promise<void> {
    this.#queuedControls += 1
    try {
      await this.send(CONTROL_LANE, data)
    } finally {
      this.#queuedControls -= 1
    }
  }

  /** The usual case, without a promise of its own: nothing waits, and all of it fits. */
  #sendNow(lane: number, data: Uint8Array): boolean {
    if (this.#queuedSends > 0 || this.#sendWindow.fits(data.length) < data.length) return false
    this.#sendPiece(lane, data)
    return true
  }

  async #sendPieces(lane: number, data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length;) {
      if (this.#error !== undefined) throw this.#error
      const piece = this.#sendWindow.fits(data.length - offset)
      if (piece === 0) await this.#sendWindow.granted()
      else this.#sendPiece(lane, data.subarray(offset, offset + piece))
      offset += piece
    }
  }

  #sendPiece(lane: number, piece: Uint8Array): void {
    this.#sendWindow.spend(piece.length + 1)
    this.#host.sendData(this.id, lane, piece)
  }

  #isOver(): boolean {
    return this.#error !== undefined || (this.#localEnded && this.#remoteEnded)
  }

  #releaseWhenOver(): void {
    if (!this.#localEnded || !this.#remoteEnded) return
    this.#over.resolve()
    this.#receiveWindow.release()
    this.#sendWindow.wake()
    this.#host.release(this.id)
  }
}

function controlTooLarge(): CmdopError {
  return new CmdopError('frame_too_large', `Expected a control message of at most ${MAX_CONTROL_BYTES} bytes.`)
}

function afterEnd(): CmdopError {
  return new CmdopError('conflict', 'Expected nothing to be sent after the end.')
}

/** Content waits until it is read: little of it must not keep the whole buffer that a socket was read into, which is 64 KiB. */
function keepable(content: Uint8Array): Uint8Array {
  return content.buffer.byteLength > KEPT_RATIO * content.length + MIN_DATA_COST ? new Uint8Array(content) : content
}
