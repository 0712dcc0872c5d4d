import {
  CmdopError,
  CONNECTION_WINDOW,
  encodeFrame,
  encodeJson,
  encodeReset,
  type Frame,
  frameTypes,
  type Hello,
  Link,
  type LinkHandlers,
  MAX_CHANNELS,
  type Open,
  isCmdopError,
  isMethodName,
  methods,
  parseOpen,
  toCmdopError,
  type Transport,
  writeUint32,
} from '@cmdop/protocol'
import { closeRoute, createRouteEnd, forwardFrame, type RouteEnd, resetRoute } from './route.ts'

/** What makes a client, a machine or another relay of a peer. */
export interface PeerRole {
  /** Takes the other side's hello; a rejection closes the peer with that error. */
  hello?(peer: Peer, hello: Hello): void | Promise<void>
  /** Decides about a channel that the peer opened, and joins it to a machine's; without it the peer may open none. */
  open?(peer: Peer, open: Open, end: RouteEnd): Promise<void>
}

const EMPTY = new Uint8Array(0)

/** One connection at the relay's switch. It holds no buffer, no timer, and for an idle machine no map. */
export class Peer implements LinkHandlers {
  readonly link: Link
  /** Called once when the connection is over. */
  onClosed: ((error: CmdopError) => void) | undefined
  readonly #role: PeerRole
  #routes: Map<number, RouteEnd> | undefined
  #nextId: number
  #lastPeerId = 0
  #undecidedBytes = 0

  constructor(transport: Transport, role: PeerRole, side: 'dialer' | 'acceptor' = 'acceptor') {
    this.#role = role
    this.#nextId = side === 'acceptor' ? 2 : 1
    this.link = new Link(transport, this)
  }

  /** Open channels. */
  get channels(): number {
    return this.#routes?.size ?? 0
  }

  hello(hello: Hello): void | Promise<void> {
    return this.#role.hello?.(this, hello)
  }

  frame(frame: Frame, message: Uint8Array): void {
    const end = this.#routes?.get(frame.channel)
    if (frame.type === frameTypes.open && end === undefined) this.#receiveOpen(frame)
    else if (end !== undefined) this.#forward(end, frame, message)
    else if (!this.#wasKnown(frame.channel)) {
      throw new CmdopError('protocol', `Expected a channel that was opened, got ${frame.channel}.`)
    }
  }

  closed(error: CmdopError): void {
    if (this.channels > 0)
      this.endRoutes(new CmdopError('connection', `The other side is gone: ${error.message}`, { idempotent: true }))
    this.onClosed?.(error)
  }

  /** Ends every channel and tells the other ends why; not this peer, which is about to be closed. */
  endRoutes(error: CmdopError): void {
    for (const end of Array.from(this.#routes?.values() ?? [])) this.#endRoute(end, error)
  }

  /** Ends some channels of this peer, which goes on, and tells both sides why. */
  endSomeRoutes(error: { here: CmdopError; there: CmdopError }, which: (end: RouteEnd) => boolean): void {
    for (const end of Array.from(this.#routes?.values() ?? [])) {
      if (!which(end)) continue
      this.sendReset(end.channel, error.here)
      this.#endRoute(end, error.there)
    }
  }

  #endRoute(end: RouteEnd, error: CmdopError): void {
    end.other?.peer.sendReset(end.other.channel, error)
    closeRoute(end, error)
  }

  /**
   * Opens a channel to this peer and joins it to `from`. Throws `unavailable` when it has too many.
   * What `from` sent while the call was decided is passed on.
   */
  join(from: RouteEnd, open: Open, watched: Partial<Pick<RouteEnd, 'settled' | 'meter'>> = {}): void {
    if (this.link.isClosed) throw new CmdopError('unavailable', 'The machine went away; nothing ran.')
    // Before anything is changed: with its permit the call may not fit into a frame any more.
    const message = encodeJson(frameTypes.open, this.#nextId, { ...open, window: from.credit })
    const end = this.#add(this.#nextId, 0)
    this.#nextId += 2
    end.other = from
    end.settled = watched.settled
    from.meter = watched.meter
    end.meter = watched.meter?.bothWays === true ? watched.meter : undefined
    from.other = end
    from.mayInput = isMethodName(open.method) && methods[open.method].input
    this.link.send(message)
    if (from.ended) this.link.send(encodeFrame(frameTypes.end, end.channel, EMPTY))
  }

  /** Sends a message of another peer under our id of the channel; the message's buffer is ours to change. */
  forward(message: Uint8Array, channel: number): void {
    writeUint32(message, 1, channel)
    this.link.send(message)
  }

  sendReset(channel: number, error: CmdopError): void {
    this.link.send(encodeReset(channel, error))
  }

  drop(channel: number): void {
    this.#routes?.delete(channel)
  }

  #add(channel: number, credit: number): RouteEnd {
    if (this.channels >= MAX_CHANNELS) {
      throw new CmdopError('unavailable', `A connection has at most ${MAX_CHANNELS} channels; wait for one to end.`)
    }
    const end = createRouteEnd(this, channel, credit)
    this.#routes ??= new Map()
    this.#routes.set(channel, end)
    return end
  }

  #forward(end: RouteEnd, frame: Frame, message: Uint8Array): void {
    try {
      if (frame.type === frameTypes.open) throw new CmdopError('protocol', 'Expected this channel id to be new.')
      forwardFrame(end, frame, message)
    } catch (cause) {
      resetRoute(end, toCmdopError(cause, 'server', 'A frame could not be forwarded.'))
    }
  }

  #receiveOpen(frame: Frame): void {
    if (frame.channel % 2 === this.#nextId % 2 || frame.channel <= this.#lastPeerId) {
      throw new CmdopError('protocol', `Expected a new channel id of the peer's own parity, got ${frame.channel}.`)
    }
    this.#lastPeerId = frame.channel
    const open = parseOpen(frame.payload)
    if (isCmdopError(open)) return this.sendReset(frame.channel, open)
    try {
      this.#admit(frame.payload.length)
      const end = this.#add(frame.channel, open.window)
      end.method = open.method
      this.#decide(open, end, frame.payload.length)
    } catch (cause) {
      this.sendReset(frame.channel, toCmdopError(cause, 'server', 'The channel could not be opened.'))
    }
  }

  #decide(open: Open, end: RouteEnd, bytes: number): void {
    if (this.#role.open === undefined)
      return resetRoute(end, new CmdopError('permission', 'A machine opens no channels.'))
    this.#undecidedBytes += bytes
    this.#role
      .open(this, open, end)
      .catch((cause: unknown) =>
        resetRoute(end, toCmdopError(cause, 'server', 'The relay could not open the channel.')),
      )
      .finally(() => {
        this.#undecidedBytes -= bytes
      })
  }

  /** Calls are held while they are decided, which takes seconds where a machine is waited for. */
  #admit(bytes: number): void {
    if (this.#undecidedBytes + bytes <= CONNECTION_WINDOW) return
    throw new CmdopError('unavailable', 'Too many large calls of this connection wait for an answer; nothing ran.')
  }

  #wasKnown(id: number): boolean {
    return id !== 0 && (id % 2 === this.#nextId % 2 ? id < this.#nextId : id <= this.#lastPeerId)
  }
}
