import { CmdopError, toCmdopError } from '../errors.ts'
import { Hello, PROTOCOL_VERSION, LIMITS, type Limits } from '../messages/hello.ts'
import {
  type Frame,
  decodeFrame,
  decodeJson,
  encodeData,
  encodeDataHead,
  encodeFrame,
  encodeJson,
  frameTypes,
  writeUint32,
} from './frame.ts'
import { DEAD_AFTER_MS, HELLO_WITHIN_MS, MAX_BUFFERED_BYTES, PING_AFTER_MS } from './limits.ts'
import type { Transport, TransportClose } from './transport.ts'

/** What a link tells its user. `closed` comes exactly once, after which nothing comes. */
export interface LinkHandlers {
  /**
   * The peer's hello; throwing or rejecting refuses it and closes the link with that error. Frames are not held back
   * until a promise settles: who decides asynchronously takes none from a peer that it does not know yet.
   */
  hello(hello: Hello): void | Promise<void>
  /** Every frame but hello, ping and pong, in order, with the message it came in. Throwing closes the link. */
  frame(frame: Frame, message: Uint8Array): void
  closed(error: CmdopError): void
}

const EMPTY = new Uint8Array(0)
const MAX_PING_BYTES = 16
const HelloVersion = Hello.pick({ version: true })

/**
 * One connection below its channels: framing, the handshake, life signs, and the answer to a peer that breaks the
 * rules or does not read. It has no timer of its own: who holds links calls {@link Link.check} about once a second, so
 * that thousands of idle ones cost one timer.
 */
export class Link {
  readonly #transport: Transport
  readonly #handlers: LinkHandlers
  #state: 'hello' | 'open' | 'closed' = 'hello'
  #heardAt: number
  #pinged = false
  /** Who waits for the answer to a ping, by its number. */
  #pings: Map<number, (isAlive: boolean) => void> | undefined
  #lastPing = 0

  constructor(transport: Transport, handlers: LinkHandlers, now: number = Date.now()) {
    this.#transport = transport
    this.#handlers = handlers
    this.#heardAt = now
    transport.start({
      message: (message) => this.#receive(message),
      text: () => this.close(new CmdopError('protocol', 'Expected binary messages only, got a text message.')),
      closed: (close) => this.#closed(closeError(close)),
    })
  }

  /** When the peer was last heard, milliseconds since 1970. */
  get heardAt(): number {
    return this.#heardAt
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  sendHello(hello: Omit<Hello, 'version'>): void {
    this.send(encodeJson(frameTypes.hello, 0, { version: PROTOCOL_VERSION, limits: LIMITS, ...hello }))
  }

  /** Sends a message. A peer that lets more than {@link MAX_BUFFERED_BYTES} wait is closed with `slow_peer`. */
  send(message: Uint8Array): void {
    if (this.#state === 'closed') return
    this.#transport.send(message)
    this.#checkBuffered()
  }

  /** Sends a data frame like {@link Link.send}. The content stays the caller's. */
  sendData(channel: number, lane: number, content: Uint8Array): void {
    if (this.#state === 'closed') return
    if (this.#transport.sendParts === undefined) this.#transport.send(encodeData(channel, lane, content))
    else this.#transport.sendParts(encodeDataHead(channel, lane), content)
    this.#checkBuffered()
  }

  #checkBuffered(): void {
    if (this.#transport.bufferedBytes <= MAX_BUFFERED_BYTES) return
    this.#transport.terminate()
    this.#closed(new CmdopError('slow_peer', `The peer left more than ${MAX_BUFFERED_BYTES} bytes unread.`))
  }

  /** Pings a silent peer, and closes one that is silent for too long or never said hello. */
  check(now: number = Date.now()): void {
    if (this.#state === 'closed') return
    const silentMs = now - this.#heardAt
    if (silentMs >= (this.#state === 'hello' ? HELLO_WITHIN_MS : DEAD_AFTER_MS)) {
      this.#transport.terminate()
      this.#closed(
        new CmdopError('connection', `The peer was silent for ${Math.round(silentMs / 1000)} s.`, idempotent),
      )
    } else if (silentMs >= PING_AFTER_MS && !this.#pinged) {
      this.#pinged = true
      this.send(encodeFrame(frameTypes.ping, 0, EMPTY))
    }
  }

  /** Asks for a sign of life now: true with the answer, false when the link is over before. Who asks bounds the wait. */
  ping(): Promise<boolean> {
    if (this.#state !== 'open') return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#lastPing += 1
    const number = new Uint8Array(4)
    writeUint32(number, 0, this.#lastPing)
    this.#pings ??= new Map()
    this.#pings.set(this.#lastPing, resolve)
    this.send(encodeFrame(frameTypes.ping, 0, number))
    return promise
  }

  #receivePong({ payload }: Frame): void {
    if (this.#pings === undefined || payload.length !== 4) return
    const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0)
    this.#pings.get(number)?.(true)
    this.#pings.delete(number)
  }

  /** Ends the link; the peer is told the code and the message. */
  close(error: CmdopError): void {
    if (this.#state === 'closed') return
    this.#transport.close(4000, `${error.code}: ${error.message}`)
    this.#closed(error)
  }

  #closed(error: CmdopError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    for (const answer of this.#pings?.values() ?? []) answer(false)
    this.#pings = undefined
    this.#handlers.closed(error)
  }

  #receive(message: Uint8Array): void {
    if (this.#state === 'closed') return
    this.#heardAt = Date.now()
    this.#pinged = false
    try {
      this.#handle(decodeFrame(message), message)
    } catch (cause) {
      this.close(toCmdopError(cause, 'server', 'A frame could not be handled.'))
    }
  }

  #handle(frame: Frame, message: Uint8Array): void {
    if (frame.type === frameTypes.hello) this.#receiveHello(frame)
    // A ping too: it would keep a peer alive that never says hello.
    else if (this.#state !== 'open') throw new CmdopError('protocol', 'Expected a hello before any other frame.')
    else if (frame.type === frameTypes.ping) this.#answerPing(frame)
    else if (frame.type === frameTypes.pong) this.#receivePong(frame)
    else this.#handlers.frame(frame, message)
  }

  #answerPing(frame: Frame): void {
    if (frame.payload.length > MAX_PING_BYTES) throw new CmdopError('protocol', 'Expected a ping of at most 16 bytes.')
    this.send(encodeFrame(frameTypes.pong, 0, frame.payload))
  }

  #receiveHello(frame: Frame): void {
    if (this.#state === 'open') throw new CmdopError('protocol', 'Expected one hello, got a second one.')
    const content = decodeJson(frame.payload)
    // First of all: nothing else is known about the hello of another version.
    const version = HelloVersion.safeParse(content).data?.version
    if (version !== undefined && version !== PROTOCOL_VERSION) throw versionError(version)
    const hello = Hello.safeParse(content)
    if (!hello.success) throw new CmdopError('protocol', 'Expected a hello with a version.', { cause: hello.error })
    if (hello.data.limits !== undefined) assertLimits(hello.data.limits)
    this.#state = 'open'
    const accepted = this.#handlers.hello(hello.data)
    accepted?.catch((cause: unknown) => this.close(toCmdopError(cause, 'server', 'The hello could not be handled.')))
  }
}

const idempotent = { idempotent: true }

function assertLimits(limits: Limits): void {
  const low = (Object.keys(LIMITS) as (keyof Limits)[]).find((name) => limits[name] < LIMITS[name])
  if (low === undefined) return
  throw new CmdopError('unsupported', `Expected ${low} to be ${LIMITS[low]} or more, the peer takes ${limits[low]}.`)
}

function versionError(version: number): CmdopError {
  return new CmdopError(
    'unsupported',
    `Expected channel protocol ${PROTOCOL_VERSION}, the peer speaks ${version}; upgrade the older side.`,
  )
}

/** What a peer says of why it ended the connection, where connecting again does not help by itself. */
const statedCodes = ['auth', 'unsupported', 'protocol', 'frame_too_large', 'quarantined', 'disabled', 'moved'] as const

/** The reason that a peer of ours gives starts with a code; anything else is a lost connection. */
function closeError(close: TransportClose): CmdopError {
  const stated = /^([a-z_]+): (.*)$/s.exec(close.reason)
  const code = stated?.[1]
  const known = statedCodes.find((one) => one === code)
  if (known !== undefined) return new CmdopError(known, stated?.[2] ?? '')
  const reason = close.reason === '' ? `code ${close.code}` : close.reason
  return new CmdopError('connection', `The connection was closed (${reason}).`, idempotent)
}
