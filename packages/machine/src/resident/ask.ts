import {
  askLanes,
  type AskParams,
  type AskWireFrame,
  type Channel,
  CmdopError,
  type Permit,
  toCmdopError,
} from '@cmdop/protocol'
import { AskJournal } from './ask-journal.ts'
import { FrameLog } from './frame-log.ts'
import { PermitBroker } from './permit-broker.ts'

/** Bytes of a PIN at most. */
const MAX_PIN_BYTES = 512

/** What an ask does, and says while it does. Resolves with its last frame; it must not reject. */
export type Work = (ask: Ask) => Promise<AskWireFrame>

/**
 * One ask: its frames, who listens to them, and its end. It goes on without a listener for `orphanMs`, but no call gets
 * a permit meanwhile; then, or when its listener gives up, what it runs is stopped.
 */
export class Ask {
  readonly id: string
  readonly params: AskParams
  readonly principalId: string
  readonly fleetId: string
  readonly permits = new PermitBroker()
  readonly journal = new AskJournal()
  readonly #log = new FrameLog()
  readonly #stop = new AbortController()
  readonly #pin = Promise.withResolvers<string>()
  #ended = false
  #over: Promise<void> = Promise.resolve()
  #channel: Channel | undefined
  #orphan: NodeJS.Timeout | undefined

  constructor(id: string, params: AskParams, { principalId, fleetId }: Permit) {
    this.id = id
    this.params = params
    this.principalId = principalId
    this.fleetId = fleetId
  }

  /** Aborts when it is to stop. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** The PIN that came with it. */
  get pin(): Promise<string> | undefined {
    return this.params.pin ? this.#pin.promise : undefined
  }

  /** Resolves when nothing of it runs any more. */
  get over(): Promise<void> {
    return this.#over
  }

  get isOver(): boolean {
    return this.#ended
  }

  /** Begins. */
  start(work: Work): void {
    this.#over = work(this).then((frame) => {
      this.#ended = true
      clearTimeout(this.#orphan)
      this.#close(new CmdopError('cancelled', 'The ask is over; nothing more ran.'))
      this.#log.end(frame)
    })
  }

  /** Says something; resolves when more may be said. */
  say(frame: AskWireFrame): Promise<void> {
    return this.#log.append(frame)
  }

  /** Stops what it runs. Resolves when that is gone. Idempotent. */
  async cancel(
    error: CmdopError = new CmdopError('cancelled', 'The ask was cancelled; what ran was stopped.'),
  ): Promise<void> {
    this.#log.abandon()
    this.#stop.abort(error)
    // What it clears up after itself is permitted as long as somebody is there.
    if (this.#channel === undefined) this.#close(error)
    await this.#over
  }

  /** From now on this channel listens, from the frame after this number. A listener before it is reset. */
  attach(channel: Channel, after: number): void {
    if (!this.#log.has(after)) {
      channel.reset(new CmdopError('conflict', `The frames after ${after} are not kept (any more).`))
      return
    }
    clearTimeout(this.#orphan)
    const former = this.#channel
    this.#channel = channel
    former?.reset(new CmdopError('conflict', 'Another connection took over this ask.'))
    channel.accept()
    this.permits.attach(channel)
    this.journal.attach(channel)
    Promise.all([this.#send(channel, after), this.#receive(channel), channel.over]).then(
      () => this.#leave(channel),
      (error: unknown) => this.#lose(channel, error),
    )
  }

  async #send(channel: Channel, after: number): Promise<void> {
    const gone = new AbortController()
    channel.over.catch(() => gone.abort())
    for await (const line of this.#log.after(after, gone.signal)) {
      await channel.send(askLanes.frames, line.data)
      if (this.#channel === channel) this.#log.sent(line)
    }
    await channel.end()
  }

  async #receive(channel: Channel): Promise<void> {
    for await (const { lane, data } of channel) {
      if (lane === askLanes.permits) this.permits.receive(channel, data)
      else if (lane === askLanes.journal) this.journal.receive(channel, data)
      else if (lane === askLanes.pin && data.length <= MAX_PIN_BYTES) this.#pin.resolve(Buffer.from(data).toString())
      else throw new CmdopError('protocol', 'Expected permits, answers to a journal and a PIN only.')
    }
  }

  #leave(channel: Channel): void {
    if (this.#channel === channel) this.#channel = undefined
    this.permits.detach(channel)
    this.journal.detach(channel)
  }

  #close(error: CmdopError): void {
    this.permits.close(error)
    this.journal.close(error)
  }

  #lose(channel: Channel, cause: unknown): void {
    if (this.#channel !== channel) return
    this.#leave(channel)
    const error = toCmdopError(cause, 'server', 'The ask could not be served.')
    channel.reset(error)
    if (this.#ended) return
    if (this.signal.aborted) return this.#close(error)
    // Only who gives up stops it at once; a lost connection may come back.
    if (error.code === 'cancelled') void this.cancel()
    else this.#orphan = setTimeout(() => void this.cancel(nobody()), this.params.orphanMs)
  }
}

function nobody(): CmdopError {
  return new CmdopError('cancelled', 'Nobody listened to the ask any more; what ran was stopped.')
}
