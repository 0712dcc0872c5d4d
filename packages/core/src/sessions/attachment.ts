import {
  type Channel,
  CmdopError,
  type Lease,
  type SessionAttached,
  sessionLanes,
  SessionNotice,
  type SessionRequest,
  type TerminalSize,
  toCmdopError,
} from '@cmdop/protocol'
import { newCallId } from '../answers.ts'
import type { Channels } from '../channels.ts'
import { InputSource } from '../input-source.ts'
import { createBackoff, isLost, isTransient } from '../reconnect.ts'
import { wait } from '../wait.ts'
import { InputQueue } from './input-queue.ts'
import { isSessionOver, leaveLine, leftError, type Line, readLine, readRest } from './line.ts'
import { Notices } from './notices.ts'
import type { AttachOptions, Session } from './session.ts'
import type { Attachment, SessionEvent } from './session-events.ts'
import { Signal } from './signal.ts'

export interface AttachmentStart {
  readonly channels: Channels
  readonly session: Session
  readonly options: AttachOptions
}

/** Attaches, and resolves once the machine has given the participant its place. */
export async function attach(start: AttachmentStart): Promise<Attachment> {
  const attachment = new RemoteAttachment(start)
  await attachment.begin()
  return attachment
}

type LeaseWish = NonNullable<AttachOptions['lease']>

const encoder = new TextEncoder()

/**
 * A participant over the relay. The line to the machine is watched and mended whether or not somebody reads; what a reader
 * was given is counted at once, so a new line goes on exactly after it.
 */
class RemoteAttachment implements Attachment {
  readonly sessionId: string
  readonly participantId = newCallId()
  readonly mode: 'operator' | 'observer'
  readonly #start: AttachmentStart
  readonly #closing = new AbortController()
  readonly #changed = new Signal()
  readonly #notices = new Notices()
  #queue = new InputQueue()
  #input = new InputSource(this.#queue, sessionLanes.input)
  /** The line there is, or the one that is being made. */
  #line: Promise<Line> | undefined
  /** The line there is. */
  #current: Line | undefined
  /** Bytes of output that were given to the reader, from the session's beginning. */
  #offset: number | undefined
  #size: TerminalSize = { columns: 80, rows: 24 }
  #ownSize: TerminalSize | undefined
  #lease: Lease | null = null
  #isReading = false
  #taken: SessionEvent | undefined
  #error: CmdopError | undefined
  #hasPlace = false
  /** Nothing more comes from the machine. */
  #isOver = false
  /** The reader has had the end. */
  #isDone = false

  constructor(start: AttachmentStart) {
    this.#start = start
    this.sessionId = start.session.id
    this.mode = start.options.mode ?? 'operator'
    this.#offset = start.options.offset
    this.#ownSize = start.options.size
  }

  get size(): TerminalSize {
    return this.#size
  }

  get lease(): Lease | null {
    return this.#lease
  }

  get holdsLease(): boolean {
    return this.#lease?.participantId === this.participantId
  }

  async begin(): Promise<void> {
    const { signal, lease = 'auto' } = this.#start.options
    const cancel = () => this.#cancel()
    if (signal?.aborted === true) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    this.#closing.signal.addEventListener('abort', () => signal?.removeEventListener('abort', cancel), { once: true })
    this.#line = this.#join(lease)
    await this.#line.catch((error: unknown) => {
      this.#fail(error)
      throw error
    })
  }

  [Symbol.asyncIterator](): AsyncIterator<SessionEvent, void, undefined> {
    // Leaving a loop does not leave the session: another loop goes on.
    return { next: () => this.#next() }
  }

  async write(data: string | Uint8Array): Promise<void> {
    this.#requireOperator()
    return this.#queue.write(typeof data === 'string' ? encoder.encode(data) : data)
  }

  resize(size: TerminalSize): void {
    this.#ownSize = size
    // Without a line it is said when there is one again.
    if (this.mode === 'operator')
      this.#current?.channel?.control({ type: 'resize', size } satisfies SessionRequest).catch(() => {})
  }

  requestLease(): Promise<void> {
    return this.#request({ type: 'lease-request' })
  }

  takeLease(): Promise<void> {
    return this.#request({ type: 'lease-take' })
  }

  grantLease(participantId: string): Promise<void> {
    return this.#request({ type: 'lease-grant', participantId })
  }

  releaseLease(): Promise<void> {
    return this.#request({ type: 'lease-release' })
  }

  async detach(): Promise<void> {
    if (this.#isOver) return
    const channel = this.#current?.channel
    const running = { state: 'running', endReason: null, exitCode: null, signal: null } as const
    this.#taken = { type: 'end', ...running, outputBytes: this.#offset ?? 0 }
    this.#finish(new CmdopError('conflict', 'This participant has left the session; attach again.'))
    if (channel !== undefined) await leaveLine(channel)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.detach()
  }

  async #next(): Promise<IteratorResult<SessionEvent, void>> {
    while (!this.#isDone) {
      const event = this.#notices.take() ?? this.#takeRead()
      if (event?.type === 'end') this.#isDone = true
      if (event !== undefined) return { done: false, value: event }
      if (this.#error !== undefined) {
        this.#isDone = true
        throw this.#error
      }
      if (!this.#isReading) this.#read().catch(() => {})
      await this.#changed.wait()
    }
    return { done: true, value: undefined }
  }

  #takeRead(): SessionEvent | undefined {
    const event = this.#taken
    this.#taken = undefined
    return event
  }

  async #read(): Promise<void> {
    this.#isReading = true
    let line: Line | undefined
    try {
      line = await this.#line
      const next = await line?.events.next()
      if (next?.done === false && !this.#isOver) this.#take(next.value)
    } catch (error) {
      if (line === undefined) this.#fail(error)
      else this.#mend(line, error)
    } finally {
      this.#isReading = false
      this.#changed.raise()
    }
  }

  #take(event: SessionEvent): void {
    this.#taken = event
    if (event.type === 'output') this.#offset = event.offset + event.data.length
    if (event.type === 'snapshot') this.#offset = event.offset
    if (event.type === 'end') this.#finish(new CmdopError('session_ended', 'The session is over.'))
  }

  /** A line to the machine, once it has given the participant its place. */
  async #join(lease: LeaseWish): Promise<Line> {
    const { channels, session } = this.#start
    const attached = Promise.withResolvers<SessionAttached | undefined>()
    attached.promise.catch(() => {})
    const method = this.mode === 'operator' ? 'session.attach' : 'session.observe'
    const params = this.#params(lease)
    const signal = this.#closing.signal
    const call = { method, target: session.machineId, params, callId: this.participantId, signal } as const
    const channel = await channels.open(call, (opened) => {
      opened.onControl = (message) => this.#receive(message, attached.resolve)
      // A session that is over ends the channel at once.
      opened.finished.then(() => attached.resolve(undefined), attached.reject)
    })
    const place = await attached.promise
    const line: Line = { channel, events: readLine(channel, place?.offset ?? this.#offset ?? 0) }
    this.#current = line
    channel.finished.catch((error: unknown) => this.#mend(line, error))
    if (this.#isOver) channel.reset(leftError())
    else if (place !== undefined) this.#settle(channel, place)
    return line
  }

  #settle(channel: Channel, place: SessionAttached): void {
    if (this.#hasPlace) this.#comeBack(place)
    this.#hasPlace = true
    if (this.mode === 'observer') return
    this.#input.send(channel, place.inputOffset).catch(() => {
      // The channel is over: input goes on over the next one.
    })
  }

  #comeBack({ resumed, lease }: SessionAttached): void {
    const isKnown = resumed || this.mode === 'observer'
    if (!isKnown) this.#dropInput()
    this.#notify({ type: 'lease', lease, waiting: [] })
    this.#notify({ type: 'connection', state: isKnown ? 'resumed' : 'rejoined' })
  }

  /** The machine cannot say which input arrived, and a command that is typed twice may do harm. */
  #dropInput(): void {
    this.#queue.close(new CmdopError('connection', 'The connection was lost; what was typed may not have arrived.'))
    this.#queue = new InputQueue()
    this.#input = new InputSource(this.#queue, sessionLanes.input)
  }

  #params(lease: LeaseWish): Record<string, unknown> {
    const { orphanMs } = this.#start.options
    const place = { sessionId: this.sessionId, ...(this.#offset === undefined ? {} : { offset: this.#offset }) }
    if (this.mode === 'observer') return place
    return {
      ...place,
      lease,
      ...(this.#ownSize === undefined ? {} : { size: this.#ownSize }),
      ...(orphanMs === undefined ? {} : { orphanMs }),
    }
  }

  #receive(message: unknown, onAttached: (attached: SessionAttached) => void): void {
    const parsed = SessionNotice.safeParse(message)
    if (!parsed.success) return
    const notice = parsed.data
    if (notice.type === 'attached' || notice.type === 'resized') this.#size = notice.size
    if (notice.type === 'attached' || notice.type === 'lease') this.#lease = notice.lease
    if (notice.type === 'attached') onAttached(notice)
    else this.#notify(notice)
  }

  #notify(notice: Parameters<Notices['add']>[0]): void {
    this.#notices.add(notice)
    this.#changed.raise()
  }

  /** A line broke; one that was replaced already is no concern. */
  #mend(line: Line, error: unknown): void {
    if (this.#current !== line || this.#isOver) return
    this.#current = undefined
    if (!isLost(error)) return this.#fail(error)
    this.#notify({ type: 'connection', state: 'lost' })
    this.#line = this.#resume()
    this.#line.catch((cause: unknown) => this.#fail(cause))
  }

  async #resume(): Promise<Line> {
    const signal = this.#closing.signal
    // A lease that was given up or taken is not taken back by itself.
    const lease = this.holdsLease ? 'auto' : 'none'
    for (const backoff = createBackoff(); ;) {
      await wait(backoff(), signal)
      try {
        return await this.#join(lease)
      } catch (error) {
        if (isSessionOver(error))
          return { channel: undefined, events: readRest(this.#start.session, this.#offset, signal) }
        if (!isTransient(error)) throw error
      }
    }
  }

  #requireOperator(): void {
    if (this.mode === 'operator') return
    throw new CmdopError('permission', 'An observer does not type; attach as an operator.')
  }

  async #request(request: SessionRequest): Promise<void> {
    this.#requireOperator()
    if (this.#isOver) throw new CmdopError('conflict', 'This participant has left the session; attach again.')
    const channel = this.#current?.channel
    if (channel !== undefined) return channel.control(request)
    throw new CmdopError('connection', 'The connection is being restored; ask again when it is back.', {
      idempotent: true,
    })
  }

  #cancel(): void {
    if (this.#isOver) return
    const channel = this.#current?.channel
    this.#fail(leftError())
    if (channel !== undefined) leaveLine(channel).catch(() => {})
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    this.#error = toCmdopError(error, 'server', 'The client met a fault of its own.')
    this.#finish(this.#error)
  }

  #finish(refusal: CmdopError): void {
    this.#isOver = true
    this.#closing.abort()
    this.#queue.close(refusal)
    this.#changed.raise()
  }
}
