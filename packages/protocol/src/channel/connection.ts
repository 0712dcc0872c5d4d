import { CmdopError, isCmdopError, toCmdopError } from '../errors.ts'
import type { Hello } from '../messages/hello.ts'
import { type Open, parseOpen } from '../messages/open.ts'
import { Channel, type ChannelHost } from './channel.ts'
import { encodeJson, encodeReset, type Frame, frameTypes } from './frame.ts'
import { MAX_CHANNELS } from './limits.ts'
import { Link } from './link.ts'
import { ReceiveBudget } from './receive-window.ts'
import type { Transport } from './transport.ts'

/** How often a connection looks after its peer's life signs, in milliseconds. */
const CHECK_EVERY_MS = 1000

export interface ConnectionOptions {
  /** `dialer` opened the transport and uses odd channel ids; `acceptor` speaks first and uses even ones. */
  role: 'dialer' | 'acceptor'
  /** Our hello. Who dialled is given the other side's, to answer its challenge. */
  hello(peer: Hello | undefined): Omit<Hello, 'version'>
  /** Called for each channel that the other side opens; without it they are refused. Throwing resets that channel. */
  onChannel?(channel: Channel): void
}

/** Both ends of the protocol over a transport: channels with credit windows. The relay's switch works on {@link Link}s. */
export class Connection implements AsyncDisposable {
  readonly #options: ConnectionOptions
  readonly #link: Link
  readonly #host: ChannelHost
  readonly #channels = new Map<number, Channel>()
  readonly #ready = Promise.withResolvers<Hello>()
  readonly #closed = Promise.withResolvers<CmdopError>()
  readonly #timer: ReturnType<typeof setInterval>
  #nextId: number
  #lastPeerId = 0
  #isReady = false

  constructor(transport: Transport, options: ConnectionOptions) {
    this.#options = options
    this.#nextId = options.role === 'dialer' ? 1 : 2
    this.#ready.promise.catch(() => {})
    this.#link = new Link(transport, {
      hello: (hello) => this.#receiveHello(hello),
      frame: (frame) => this.#receive(frame),
      closed: (error) => this.#end(error),
    })
    this.#host = {
      budget: new ReceiveBudget(),
      send: (message) => this.#link.send(message),
      sendData: (channel, lane, content) => this.#link.sendData(channel, lane, content),
      release: (id) => this.#channels.delete(id),
    }
    this.#timer = setInterval(() => this.#link.check(), CHECK_EVERY_MS)
    if (options.role === 'acceptor') this.#link.sendHello(options.hello(undefined))
  }

  /** The other side's hello; rejects when the connection ends before it. */
  get ready(): Promise<Hello> {
    return this.#ready.promise
  }

  /** Resolves with the reason when the connection is over. Never rejects. */
  get closed(): Promise<CmdopError> {
    return this.#closed.promise
  }

  get isClosed(): boolean {
    return this.#link.isClosed
  }

  /**
   * Opens a channel. What it is refused with comes from `channel.accepted`. Throws when the connection is over, is not
   * {@link Connection.ready}, or has all the channels it may have, and when the call fits no frame.
   */
  open(open: Omit<Open, 'window'>): Channel {
    if (this.#link.isClosed)
      throw new CmdopError('connection', 'The connection to the relay is closed.', { idempotent: true })
    if (!this.#isReady) throw new CmdopError('unavailable', 'Nothing ran: wait for `ready` before the first channel.')
    if (this.#channels.size >= MAX_CHANNELS) {
      throw new CmdopError('unavailable', `A connection has at most ${MAX_CHANNELS} channels; wait for one to end.`)
    }
    const channel = new Channel(this.#host, this.#nextId, open)
    this.#channels.set(channel.id, channel)
    try {
      const message = encodeJson(frameTypes.open, channel.id, channel.open)
      this.#nextId += 2
      this.#link.send(message)
      return channel
    } catch (cause) {
      // What fits no frame was never opened: the channel gives back what it holds.
      const error = toCmdopError(cause, 'validation', 'The call cannot be sent as JSON.')
      channel.fail(error)
      throw error
    }
  }

  /** Ends every channel for both sides, telling the other side why; the connection stays. */
  resetAll(error: CmdopError): void {
    for (const channel of this.#channels.values()) channel.reset(error)
  }

  /** Ends the connection and with it every channel. Idempotent. */
  close(error: CmdopError = new CmdopError('cancelled', 'The connection was closed by its owner.')): void {
    this.#link.close(error)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.#closed.promise
  }

  #receiveHello(hello: Hello): void {
    if (this.#options.role === 'dialer') this.#link.sendHello(this.#options.hello(hello))
    this.#isReady = true
    this.#ready.resolve(hello)
  }

  #receive(frame: Frame): void {
    const channel = this.#channels.get(frame.channel)
    if (frame.type === frameTypes.open && channel === undefined) this.#receiveOpen(frame)
    else if (channel !== undefined) this.#deliver(channel, frame)
    else if (!this.#wasKnown(frame.channel)) {
      throw new CmdopError('protocol', `Expected a channel that was opened, got ${frame.channel}.`)
    }
  }

  /** What a channel cannot take ends that channel only. */
  #deliver(channel: Channel, frame: Frame): void {
    try {
      channel.receive(frame)
    } catch (cause) {
      channel.reset(toCmdopError(cause, 'server', 'A frame could not be handled.'))
    }
  }

  #receiveOpen(frame: Frame): void {
    if (frame.channel % 2 === this.#nextId % 2 || frame.channel <= this.#lastPeerId) {
      throw new CmdopError('protocol', `Expected a new channel id of the peer's own parity, got ${frame.channel}.`)
    }
    this.#lastPeerId = frame.channel
    const open = parseOpen(frame.payload)
    if (isCmdopError(open)) return this.#refuse(frame.channel, open)
    if (this.#channels.size >= MAX_CHANNELS) {
      return this.#refuse(
        frame.channel,
        new CmdopError('unavailable', `A connection has at most ${MAX_CHANNELS} channels.`),
      )
    }
    const channel = new Channel(this.#host, frame.channel, open)
    this.#channels.set(channel.id, channel)
    this.#take(channel)
  }

  #take(channel: Channel): void {
    try {
      if (this.#options.onChannel === undefined) throw new CmdopError('unsupported', 'This peer takes no calls.')
      this.#options.onChannel(channel)
    } catch (cause) {
      channel.reset(toCmdopError(cause, 'server', 'The call could not be taken.'))
    }
  }

  #refuse(id: number, error: CmdopError): void {
    this.#link.send(encodeReset(id, error))
  }

  /** Frames may still be under way to a channel that is over. */
  #wasKnown(id: number): boolean {
    return id !== 0 && (id % 2 === this.#nextId % 2 ? id < this.#nextId : id <= this.#lastPeerId)
  }

  #end(error: CmdopError): void {
    clearInterval(this.#timer)
    this.#ready.reject(error)
    for (const channel of this.#channels.values()) channel.fail(error)
    this.#closed.resolve(error)
  }
}
