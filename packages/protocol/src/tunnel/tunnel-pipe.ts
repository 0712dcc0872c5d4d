import type { Channel } from '../channel/channel.ts'
import { MAX_WINDOW } from '../channel/limits.ts'
import { ResendBuffer } from '../channel/resend-buffer.ts'
import { holdForTurn } from '../channel/turn-writes.ts'
import { CmdopError, isCmdopError, toCmdopError } from '../errors.ts'
import { TUNNEL_LANE, TunnelMessage } from '../methods/tunnels.ts'
import type { ByteStream } from './byte-stream.ts'

/** Credit's worth that is read of the local side ahead of what is sent; then it is left to fill. */
const READ_AHEAD = 256 * 1024

/** What is kept at most until the other end says that it has it: what can be under way, and what it has not said yet. */
const MAX_KEPT = 2 * MAX_WINDOW

/** Bytes that wait to be written to the local side before the other end has to wait. */
const MAX_UNWRITTEN = 256 * 1024

/** Bytes after which the other end is told that they are here; what is less is told after a pause. */
const ACK_BYTES = 256 * 1024
const ACK_AFTER_MS = 250

/** How a tunnel connection ended, and how much went through. */
export interface TunnelOutcome {
  /** Undefined: both sides have ended, and everything has arrived. */
  readonly error: CmdopError | undefined
  /** Bytes that came from the other end. */
  readonly received: number
  /** Bytes that were read of the local side. */
  readonly sent: number
}

/**
 * One end of a tunnel connection: what the local side sends goes to the channel and what the channel brings to the local side, with
 * back-pressure, each direction ending by itself. It outlives its channel: after a loss another one goes on at the byte where
 * the other end is, with {@link TunnelPipe.attach}.
 */
export class TunnelPipe {
  readonly #stream: ByteStream
  readonly #onLost: (error: CmdopError) => void
  readonly #over = Promise.withResolvers<TunnelOutcome>()
  readonly #kept = new ResendBuffer()
  #channel: Channel | undefined
  #sent = 0
  #acked = 0
  #received = 0
  #told = 0
  #ackTimer: ReturnType<typeof setTimeout> | undefined
  #isTelling = false
  #isPaused = false
  #isOver = false
  #outcome: TunnelOutcome | undefined
  /** The local side sends no more. */
  #hasEnded = false
  /** Where the other end's content ends, once that is known. */
  #end = Number.POSITIVE_INFINITY
  #hasWrittenAll = false
  /** What goes out on this channel has begun to. */
  #sendingOn: Channel | undefined
  /** The other end was told on this channel where our content ends. */
  #saidEndOn: Channel | undefined
  #changed = Promise.withResolvers<void>()
  #drained = Promise.withResolvers<void>()
  #heardAt = performance.now()

  /** `onLost`: the channel is gone, and another one can go on. */
  constructor(stream: ByteStream, onLost: (error: CmdopError) => void) {
    this.#stream = stream
    this.#onLost = onLost
    stream.on('data', (data) => this.#take(data))
    stream.on('drain', () => this.#drain())
    stream.on('end', () => {
      this.#hasEnded = true
      this.#notify()
    })
    stream.on('error', () => this.abort(brokenOff()))
    stream.on('close', () => {
      if (!this.#hasEnded || !this.#hasWrittenAll) this.abort(brokenOff())
      this.#close()
    })
  }

  /** Resolves when the connection is over, however, and the local side is closed: what it has not read is still somebody's. Never rejects. */
  get over(): Promise<TunnelOutcome> {
    return this.#over.promise
  }

  /** Nothing more is exchanged with the other end. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Bytes from the other end that are here. */
  get received(): number {
    return this.#received
  }

  /** Everything has arrived here, and all of the local side was sent. */
  get isComplete(): boolean {
    return this.#hasWrittenAll && this.#hasEnded && this.#acked === this.#kept.end
  }

  /** Milliseconds since something was sent or received. */
  get silentMs(): number {
    return performance.now() - this.#heardAt
  }

  /**
   * Goes on with this channel; a former one is left. `received` is what the other end has, undefined when it says so itself. Messages that
   * it sends must come to {@link TunnelPipe.message}.
   */
  attach(channel: Channel, received?: number): void {
    const former = this.#channel
    this.#channel = channel
    former?.reset(new CmdopError('conflict', 'Another channel goes on with this connection.'))
    channel.over.then(
      () => this.#finish(channel),
      (error: unknown) => this.#lose(channel, toCmdopError(error, 'connection', 'The connection was lost.')),
    )
    if (received !== undefined) this.#sendFrom(channel, received)
    this.#receive(channel).catch((error: unknown) => fail(channel, error))
  }

  /** What the other end says beside the content. Throws `protocol` for what is none of it, which resets the channel. */
  message(channel: Channel, given: unknown): void {
    if (this.#channel !== channel) return
    const message = TunnelMessage.parse(given)
    if (message.type === 'connected' && this.#sendingOn !== channel) this.#sendFrom(channel, message.received)
    else if (message.type === 'ack' || message.type === 'connected') this.#takeAck(message.received)
    else if (message.type === 'end') this.#takeEnd(message.bytes)
    else throw new CmdopError('protocol', 'Expected nothing more to be held.')
  }

  /** Breaks the connection off, telling both sides. Idempotent. */
  abort(error: CmdopError): void {
    // Of what is over only the local side can be left.
    if (this.#isOver) return breakOff(this.#stream)
    const channel = this.#channel
    this.#channel = undefined
    channel?.reset(error)
    breakOff(this.#stream)
    this.#settle(error)
  }

  /** It is over without a word: the other end has said that it is. */
  complete(): void {
    this.#settle(undefined)
  }

  #take(data: Uint8Array): void {
    this.#kept.append(TUNNEL_LANE, data)
    this.#heardAt = performance.now()
    this.#flow()
    this.#notify()
  }

  /** Reads the local side no further ahead than is bounded. */
  #flow(): void {
    const isFull = this.#kept.costFrom(this.#sent) > READ_AHEAD || this.#kept.costFrom(this.#acked) > MAX_KEPT
    if (isFull === this.#isPaused || this.#isOver) return
    this.#isPaused = isFull
    if (isFull) this.#stream.pause()
    else this.#stream.resume()
  }

  #sendFrom(channel: Channel, received: number): void {
    if (received < this.#acked || !this.#kept.has(received)) {
      this.abort(new CmdopError('lost', 'What the other end of the tunnel does not have is not kept any more.'))
      return
    }
    this.#takeAck(received)
    this.#sendingOn = channel
    this.#sent = received
    this.#send(channel).catch((error: unknown) => fail(channel, error))
  }

  async #send(channel: Channel): Promise<void> {
    while (this.#channel === channel) {
      const piece = this.#kept.at(this.#sent)
      if (piece !== undefined) {
        await channel.send(TUNNEL_LANE, piece.data)
        if (this.#channel !== channel) return
        this.#sent = piece.offset + piece.data.length
        this.#heardAt = performance.now()
        this.#flow()
      } else if (this.#hasEnded) {
        await channel.control({ type: 'end', bytes: this.#kept.end } satisfies TunnelMessage)
        this.#saidEndOn = channel
        return this.#endChannel()
      } else await this.#changed.promise
    }
  }

  async #receive(channel: Channel): Promise<void> {
    for await (const { lane, data } of channel) {
      // What is left unread of a lost channel is sent again.
      if (this.#channel !== channel) return
      if (lane !== TUNNEL_LANE || this.#received + data.length > this.#end)
        throw new CmdopError('protocol', 'Expected content of the connection, and none after its end.')
      this.#received += data.length
      this.#heardAt = performance.now()
      this.#write(data)
      this.#tell()
      if (this.#received === this.#end) this.#writeEnd()
      while (this.#stream.writableLength > MAX_UNWRITTEN && !this.#isOver) await this.#drained.promise
    }
  }

  #write(data: Uint8Array): void {
    if (this.#stream.destroyed) return
    holdForTurn(this.#stream)
    this.#stream.write(data)
  }

  #takeAck(received: number): void {
    if (received > this.#kept.end || received < this.#acked)
      throw new CmdopError('protocol', 'Expected the other end to have no more than was sent, and no less than before.')
    this.#acked = received
    this.#kept.takenUpTo(received)
    this.#flow()
    this.#endChannel()
  }

  #takeEnd(bytes: number): void {
    if (bytes < this.#received || (Number.isFinite(this.#end) && bytes !== this.#end))
      throw new CmdopError('protocol', 'Expected one end of the connection, and not before what has arrived.')
    this.#end = bytes
    if (this.#received === bytes) this.#writeEnd()
  }

  #writeEnd(): void {
    if (this.#hasWrittenAll) return
    this.#hasWrittenAll = true
    if (!this.#stream.destroyed) this.#stream.end()
    this.#tellNow()
    this.#endChannel()
  }

  /** Says that all is here; once both ends have said so it is over. */
  #endChannel(): void {
    const channel = this.#channel
    if (channel !== undefined && channel === this.#saidEndOn && this.isComplete) channel.end().catch(() => {})
  }

  /** Tells the other end how much is here, now and then. */
  #tell(): void {
    if (this.#received - this.#told >= ACK_BYTES) this.#tellNow()
    else this.#ackTimer ??= setTimeout(() => this.#tellNow(), ACK_AFTER_MS)
  }

  /** One at a time, so that they do not pile up where there is no credit. */
  #tellNow(): void {
    clearTimeout(this.#ackTimer)
    this.#ackTimer = undefined
    const channel = this.#channel
    if (channel === undefined || this.#isTelling || this.#told === this.#received) return
    this.#isTelling = true
    this.#told = this.#received
    const told = () => {
      this.#isTelling = false
      if (this.#told === this.#received || this.#channel !== channel) return
      if (this.#hasWrittenAll) this.#tellNow()
      else this.#tell()
    }
    channel.control({ type: 'ack', received: this.#received } satisfies TunnelMessage).then(told, () => {
      this.#isTelling = false
    })
  }

  #finish(channel: Channel): void {
    if (this.#channel === channel) this.#settle(undefined)
  }

  #lose(channel: Channel, error: CmdopError): void {
    if (this.#channel !== channel) return
    this.#channel = undefined
    this.#told = this.#received
    if (isLostWay(error)) this.#onLost(error)
    else this.abort(error)
  }

  #settle(error: CmdopError | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#ackTimer)
    this.#outcome = { error, received: this.#received, sent: this.#kept.end }
    if (this.#stream.destroyed) this.#close()
    this.#notify()
    this.#drain()
  }

  #close(): void {
    if (this.#outcome !== undefined) this.#over.resolve(this.#outcome)
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  #drain(): void {
    this.#drained.resolve()
    this.#drained = Promise.withResolvers()
  }
}

/** Whether the way to the other end was lost, and not the connection there: a target that takes none is `unavailable` for a reason. */
export function isLostWay(error: unknown): error is CmdopError {
  if (!isCmdopError(error)) return false
  const { code, details } = error
  return code === 'connection' || code === 'slow_peer' || (code === 'unavailable' && details['reason'] === undefined)
}

function breakOff(stream: ByteStream): void {
  if (stream.destroyed) return
  try {
    stream.resetAndDestroy?.()
  } catch {
    // Only plain TCP can be broken off.
  }
  stream.destroy()
}

/** Of a channel that is lost already it says nothing. */
function fail(channel: Channel, error: unknown): void {
  channel.reset(toCmdopError(error, 'protocol', 'The other end of the tunnel says what is none of its protocol.'))
}

function brokenOff(): CmdopError {
  return new CmdopError('cancelled', 'The connection was broken off at the other end of the tunnel.')
}
