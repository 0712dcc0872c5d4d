import {
  type Channel,
  CmdopError,
  isCmdopError,
  type Participant,
  type SessionAttached,
  sessionLanes,
  type SessionNotice,
  type SessionObserveParams,
} from '@cmdop/protocol'
import { Outbox } from './outbox.ts'
import type { SessionOutput } from './session-output.ts'

/** Milliseconds for which an observer's share is counted. */
const SHARE_EVERY_MS = 100

/** Milliseconds at least between one screen for an observer and its next: so many, and for each observer some more. */
const SCREEN_EVERY_MS = 250
const SCREEN_EVERY_MS_EACH = 20

/** Bytes that all observers of a session together are sent in that time, and one at least. */
const SHARED_BYTES = 128 * 1024
const LEAST_SHARE_BYTES = 2 * 1024

/**
 * How many shares an observer may be behind: 512 KiB of output for one alone. Then it gets the screen as it is, and goes
 * on from there.
 */
const BEHIND_SHARES = 4

/** What an observer needs of its session. */
export interface ObserverHost {
  readonly output: SessionOutput
  /** Observers of the session, this one among them. */
  readonly observers: number
  attached(observer: Observer): Omit<SessionAttached, 'resumed' | 'offset'>
  left(observer: Observer): void
}

/**
 * One who watches. Nobody ever waits for it: a flood reaches it no faster than its share, and when it falls behind it gets
 * the screen instead of what it missed.
 */
export class Observer {
  readonly who: Participant
  readonly #host: ObserverHost
  readonly #channel: Channel
  #isGone = false
  #outbox: Outbox | undefined
  #sent = 0
  #countedSince = 0
  #counted = 0
  #nextScreenAt = 0

  constructor(host: ObserverHost, who: Participant, channel: Channel) {
    this.#host = host
    this.who = who
    this.#channel = channel
  }

  /** Serves it until its channel is over. */
  async serve({ offset }: SessionObserveParams): Promise<void> {
    this.#channel.accept()
    // It ends when the observer leaves. Input resets it, see `refuseInput`.
    const gone = this.#channel.finished
    try {
      await Promise.race([gone, this.#sendOutput(offset).then(() => gone)])
      await this.#channel.end()
    } catch (error) {
      this.#channel.reset(
        isCmdopError(error) ? error : new CmdopError('server', 'The session could not be served.', { cause: error }),
      )
    } finally {
      // It may wait for output still, of which there may be none for long.
      this.#isGone = true
      this.#host.left(this)
    }
  }

  say(notice: SessionNotice): void {
    this.#outbox?.say(notice)
  }

  /** Another connection goes on as this participant. */
  replace(): void {
    this.#channel.reset(new CmdopError('conflict', 'Another connection took over this participant.'))
  }

  async #sendOutput(offset: number | undefined): Promise<void> {
    const { output } = this.#host
    const isKnown = offset !== undefined && output.scrollback.has(offset) && !this.#isFarFrom(offset)
    const snapshot = isKnown ? undefined : await output.snapshot()
    this.#sent = snapshot?.offset ?? offset ?? 0
    this.#outbox = new Outbox(this.#channel)
    this.#outbox.say({ ...this.#host.attached(this), resumed: false, offset: this.#sent })
    if (snapshot !== undefined) await this.#channel.send(sessionLanes.snapshot, snapshot.message)
    while (!this.#isGone) {
      if (this.#isFarFrom(this.#sent)) await this.#sendScreen()
      else if (this.#sent < output.scrollback.end) await this.#sendShare()
      else if (output.end === undefined) await output.changed
      else return this.#channel.end(output.end)
    }
  }

  get #share(): number {
    return Math.max(LEAST_SHARE_BYTES, Math.floor(SHARED_BYTES / this.#host.observers))
  }

  #isFarFrom(offset: number): boolean {
    return this.#host.output.scrollback.end - offset > BEHIND_SHARES * this.#share
  }

  async #sendScreen(): Promise<void> {
    await wait(this.#nextScreenAt - performance.now())
    const { offset, message } = await this.#host.output.snapshot({ history: false })
    this.#nextScreenAt = performance.now() + Math.max(SCREEN_EVERY_MS, SCREEN_EVERY_MS_EACH * this.#host.observers)
    // The screen itself may be behind in a flood.
    if (this.#isGone || offset <= this.#sent) return
    await this.#channel.send(sessionLanes.snapshot, message)
    this.#sent = offset
  }

  async #sendShare(): Promise<void> {
    const { scrollback } = this.#host.output
    const now = performance.now()
    if (now - this.#countedSince >= SHARE_EVERY_MS) {
      this.#countedSince = now
      this.#counted = 0
    }
    const left = this.#share - this.#counted
    if (left <= 0) return wait(this.#countedSince + SHARE_EVERY_MS - now)
    const kept = scrollback.at(this.#sent) ?? (await scrollback.read(this.#sent))
    if (kept === undefined) return this.#sendScreen()
    const data = kept.subarray(0, left)
    await this.#channel.send(sessionLanes.output, data)
    this.#counted += data.length
    this.#sent += data.length
  }
}

async function wait(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
}
