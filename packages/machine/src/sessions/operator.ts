import {
  type Channel,
  CmdopError,
  isCmdopError,
  type Participant,
  type SessionAttached,
  type SessionAttachParams,
  sessionLanes,
  type SessionNotice,
  SessionRequest,
  type TerminalSize,
  toCmdopError,
} from '@cmdop/protocol'
import { Outbox } from './outbox.ts'
import type { SessionOutput } from './session-output.ts'

/** What an operator needs of its session. */
export interface OperatorHost {
  readonly output: SessionOutput
  /** What is said first: the session at this moment. */
  attached(operator: Operator): Omit<SessionAttached, 'resumed' | 'offset'>
  /** Input has arrived. Resolves when more may be read. */
  input(operator: Operator, data: Uint8Array): Promise<void>
  request(operator: Operator, request: SessionRequest): void
  /** The operator has been sent more, or it need not be waited for any more. */
  moved(): void
  /** The operator left, or was lost for too long. */
  left(operator: Operator): void
}

/** What an operator is told at once, beside how the session is. */
export interface Welcome {
  /** It was here before. */
  readonly resumed: boolean
  /** Why it has not got the lease that it wanted to take. */
  readonly refusal: CmdopError | undefined
}

/** One who may type. Gets every byte of output; outlives its channel for as long as it asked for. */
export class Operator {
  readonly who: Participant
  readonly #host: OperatorHost
  #channel: Channel | undefined
  #outbox: Outbox | undefined
  #sent = 0
  #inputBytes = 0
  #orphanMs = 0
  #orphan: NodeJS.Timeout | undefined
  #size: TerminalSize | undefined

  constructor(host: OperatorHost, who: Participant) {
    this.#host = host
    this.who = who
  }

  /** Bytes of input that have arrived. */
  get inputBytes(): number {
    return this.#inputBytes
  }

  /** Of its terminal. */
  get size(): TerminalSize | undefined {
    return this.#size
  }

  set size(size: TerminalSize | undefined) {
    this.#size = size ?? this.#size
  }

  /** Bytes of output that it has not been sent; 0 while it is lost, for nobody waits for it then. */
  get behind(): number {
    return this.#channel === undefined ? 0 : this.#host.output.scrollback.end - this.#sent
  }

  /** Milliseconds for which it may come back; undefined while it is there. */
  get orphanedForMs(): number | undefined {
    return this.#orphan === undefined ? undefined : this.#orphanMs
  }

  /** Goes on with this channel. One before it is reset. Resolves when it is over. */
  async attach(channel: Channel, params: SessionAttachParams, welcome: Welcome): Promise<void> {
    clearTimeout(this.#orphan)
    this.#orphan = undefined
    const former = this.#channel
    this.#channel = channel
    this.#sent = this.#host.output.scrollback.end
    this.#outbox = undefined
    this.#orphanMs = params.orphanMs
    former?.reset(new CmdopError('conflict', 'Another connection took over this participant.'))
    channel.onControl = (message) => {
      const request = SessionRequest.safeParse(message)
      if (request.success && this.#channel === channel) this.#host.request(this, request.data)
    }
    channel.accept()
    await this.#serve(channel, params.offset, welcome)
  }

  say(notice: SessionNotice): void {
    this.#outbox?.say(notice)
  }

  /** So many bytes of its input were not taken, or with 0 a request, because of this. */
  refuse(error: unknown, bytes: number): void {
    const { code, message } = toCmdopError(error, 'server', 'The machine met a fault of its own; its log says more.')
    this.say({ type: 'input-refused', code, message, bytes })
  }

  /** The session is over: nobody comes back. Whether it was lost. */
  forget(): boolean {
    const isLost = this.#orphan !== undefined
    clearTimeout(this.#orphan)
    this.#orphan = undefined
    return isLost
  }

  async #serve(channel: Channel, offset: number | undefined, welcome: Welcome): Promise<void> {
    try {
      await Promise.all([this.#sendOutput(channel, offset, welcome), this.#takeInput(channel)])
      await channel.end()
      this.#leave(channel)
    } catch (error) {
      this.#lose(channel, error)
    }
  }

  async #sendOutput(channel: Channel, offset: number | undefined, welcome: Welcome): Promise<void> {
    const { output } = this.#host
    const hasOffset = offset !== undefined && output.scrollback.has(offset)
    const snapshot = hasOffset ? undefined : await output.snapshot()
    if (this.#channel !== channel) return
    this.#sent = snapshot?.offset ?? offset ?? 0
    this.#outbox = new Outbox(channel)
    this.#outbox.say({ ...this.#host.attached(this), resumed: welcome.resumed, offset: this.#sent })
    if (welcome.refusal !== undefined) this.refuse(welcome.refusal, 0)
    if (snapshot !== undefined) await channel.send(sessionLanes.snapshot, snapshot.message)
    while (this.#channel === channel) {
      const data = output.scrollback.at(this.#sent) ?? (await output.scrollback.read(this.#sent))
      if (data !== undefined) await this.#send(channel, data)
      else if (this.#sent < output.scrollback.end) throw new CmdopError('slow_peer', 'What comes next is not kept.')
      else if (output.end === undefined) await output.changed
      else return channel.end(output.end)
    }
  }

  async #send(channel: Channel, data: Uint8Array): Promise<void> {
    await channel.send(sessionLanes.output, data)
    if (this.#channel !== channel) return
    this.#sent += data.length
    this.#host.moved()
  }

  /** Ends when the client has ended: it leaves, or knows that the session is over. */
  async #takeInput(channel: Channel): Promise<void> {
    for await (const { lane, data } of channel) {
      if (lane !== sessionLanes.input) throw new CmdopError('protocol', 'Expected input on its lane.')
      // What is left unread of a lost channel is sent again.
      if (this.#channel !== channel) return
      this.#inputBytes += data.length
      await this.#host.input(this, data)
    }
    if (this.#channel === channel) this.#leave(channel)
  }

  #leave(channel: Channel): void {
    if (this.#channel !== channel) return
    this.#channel = undefined
    this.#outbox = undefined
    this.#host.left(this)
    // Without a trailer: the session goes on.
    channel.end().catch(() => {})
  }

  #lose(channel: Channel, error: unknown): void {
    if (this.#channel !== channel) return
    channel.reset(
      isCmdopError(error) ? error : new CmdopError('server', 'The session could not be served.', { cause: error }),
    )
    this.#channel = undefined
    this.#outbox = undefined
    this.#host.moved()
    const isLost = isCmdopError(error) && (error.code === 'connection' || error.code === 'slow_peer')
    if (!isLost || this.#host.output.end !== undefined) return this.#host.left(this)
    this.#orphan = setTimeout(() => {
      this.#orphan = undefined
      this.#host.left(this)
    }, this.#orphanMs)
  }
}
