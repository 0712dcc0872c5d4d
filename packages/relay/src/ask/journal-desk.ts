import {
  askLanes,
  type Channel,
  CmdopError,
  JournalRequest,
  JsonLines,
  jsonLine,
  MAX_RUN_APPEND_BYTES,
  toCmdopError,
  toWireError,
} from '@cmdop/protocol'
import type { RunJournals, RunWriter } from '../runs/run-journals.ts'

/** What waits to be written of one ask at most. */
const MAX_WAITING = 16

/** Runs that one ask begins at most: its own. */
const MAX_RUNS = 1

export interface JournalDeskOptions {
  readonly channel: Channel
  readonly journals: Pick<RunJournals, 'create' | 'append' | 'refuse'>
  /** The caller of the ask, with the ask. */
  readonly writer: RunWriter
}

/** Writes down what the operator of a machine does for an ask, as a run of the one who asks. */
export class JournalDesk {
  readonly #options: JournalDeskOptions
  readonly #lines = new JsonLines(MAX_RUN_APPEND_BYTES)
  #waiting = 0
  readonly #begun = new Set<string>()
  #last: Promise<void> = Promise.resolve()

  constructor(options: JournalDeskOptions) {
    this.#options = options
  }

  /** Takes a piece of what the machine says. Throws for what is not of this form. */
  receive(data: Uint8Array): void {
    for (const line of this.#lines.push(data)) {
      const request = JournalRequest.parse(line)
      if (this.#waiting >= MAX_WAITING) throw new CmdopError('protocol', 'Expected fewer entries at once.')
      this.#waiting += 1
      this.#last = this.#last.then(() => this.#write(request))
    }
  }

  async #begin({ run }: Extract<JournalRequest, { type: 'create' }>): Promise<void> {
    const { journals, writer } = this.#options
    const isMore = !this.#begun.has(run.runId) && this.#begun.size >= MAX_RUNS
    if (isMore)
      await journals.refuse(
        writer,
        run.runId,
        new CmdopError('permission', 'An ask is one run, and has begun already.'),
      )
    this.#begun.add(run.runId)
    await journals.create(writer, run)
  }

  async #write(request: JournalRequest): Promise<void> {
    const { channel, journals, writer } = this.#options
    const { number } = request
    let error: CmdopError | undefined
    try {
      if (request.type === 'create') await this.#begin(request)
      else await journals.append(writer, request.runId, request.entries)
    } catch (cause) {
      error = toCmdopError(cause, 'server', 'The relay could not write the journal of the run.')
    }
    this.#waiting -= 1
    const answer = { number, error: error === undefined ? null : toWireError(error) }
    // A channel that is over takes no answer; whoever comes back is asked again.
    await channel.send(askLanes.journal, jsonLine(answer)).catch(() => {})
  }
}
