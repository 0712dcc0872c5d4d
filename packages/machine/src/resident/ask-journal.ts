import type { RunJournals } from '@cmdop/core'
import {
  askLanes,
  type Channel,
  CmdopError,
  fromWireError,
  JournalAnswer,
  type JournalRequest,
  JsonLines,
  jsonLine,
  type RunAppend,
  type RunCreate,
  type RunEntry,
} from '@cmdop/protocol'

type Waiting = PromiseWithResolvers<void> & { readonly line: Uint8Array }

/** What a request says, beside its number. */
type Said =
  | { readonly type: 'create'; readonly run: RunCreate }
  | { readonly type: 'append'; readonly runId: string; readonly entries: RunAppend }

/**
 * The journal of the run that works on an ask: on the relay, through the channel of the ask. Without a channel what is written
 * waits until somebody is there.
 */
export class AskJournal implements RunJournals {
  readonly #waiting = new Map<number, Waiting>()
  #count = 0
  #channel: Channel | undefined
  #lines = new JsonLines()
  #closed: CmdopError | undefined

  /** From now on this channel is written to; what waits is sent there again. */
  attach(channel: Channel): void {
    this.#channel = channel
    this.#lines = new JsonLines()
    for (const { line } of this.#waiting.values()) this.#send(line)
  }

  /** Nobody is there, unless another channel is. */
  detach(channel: Channel): void {
    if (this.#channel === channel) this.#channel = undefined
  }

  async create(run: RunCreate): Promise<void> {
    await this.#say({ type: 'create', run })
  }

  async append(runId: string, index: number, entries: readonly RunEntry[]): Promise<void> {
    await this.#say({ type: 'append', runId, entries: { index, entries: [...entries] } })
  }

  /** An ask is not gone on with by another process. */
  entries(): never {
    throw new CmdopError('unsupported', 'The operator of a machine does not read journals.')
  }

  /** What the relay says, in pieces. */
  receive(channel: Channel, data: Uint8Array): void {
    if (channel !== this.#channel) return
    for (const line of this.#lines.push(data)) {
      const { number, error } = JournalAnswer.parse(line)
      const waiting = this.#waiting.get(number)
      this.#waiting.delete(number)
      if (error === null) waiting?.resolve()
      else waiting?.reject(fromWireError(error, { idempotent: true }))
    }
  }

  /** Nothing is written any more. */
  close(error: CmdopError): void {
    this.#closed = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  #say(said: Said): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const number = (this.#count += 1)
    const line = jsonLine({ ...said, number } satisfies JournalRequest)
    const waiting = { ...Promise.withResolvers<void>(), line }
    this.#waiting.set(number, waiting)
    this.#send(line)
    return waiting.promise
  }

  /** What does not arrive is sent again on the next channel. */
  #send(line: Uint8Array): void {
    this.#channel?.send(askLanes.journal, line).catch(() => {})
  }
}
