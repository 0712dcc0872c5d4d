import { setTimeout as wait } from 'node:timers/promises'
import type { RunJournals } from '@cmdop/core'
import { CmdopError, isCmdopError, MAX_RUN_APPEND_ENTRIES, type RunEntry } from '@cmdop/protocol'
import type { Journal, JournalEntry, JournalPlace, RunStarted } from '../ports/journal.ts'
import { type LateSignal, lateSignal } from '../run/patience.ts'

/** Milliseconds in which a relay that is away may come back; of a run that fails anyway, less. */
const PATIENCE_MS = 30_000
const LAST_PATIENCE_MS = 1_000

/** Bounds of the wait before another try, in milliseconds. */
const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 2_000

/** Milliseconds in which an entry that nothing waits for may go with the next one. */
const LINGER_MS = 20

/** About how many characters of entries go in one request, if there is more than one. */
const REQUEST_CHARACTERS = 2 * 1024 * 1024

/** A journal on the relay. What is written while an entry is on its way goes with the next request, together. */
export function createRelayJournal(runs: RunJournals): Required<Journal> {
  const writers = new Map<string, RunWriter>()
  const writerOf = (runId: string, place: JournalPlace): RunWriter => {
    const writer = writers.get(place.writer) ?? new RunWriter(runs, runId, place)
    writers.set(place.writer, writer)
    return writer
  }
  return {
    isJudging: true,
    append: async (entry, place) => {
      const { runId, type } = entry
      const isLast = type === 'run_ended' || type === 'run_stopped'
      const isFirst = type === 'run_started' || type === 'run_resumed'
      try {
        await writerOf(runId, place).append(entry)
        if (isLast) writers.delete(place.writer)
      } catch (error) {
        // Nothing follows what could not begin, or end.
        if (isLast || isFirst) writers.delete(place.writer)
        throw error
      }
    },
    note: async (entry, place) => {
      try {
        await writerOf(entry.runId, place).note(entry)
      } catch (error) {
        writers.delete(place.writer)
        throw error
      }
    },
    read: (runId) => Array.fromAsync(runs.entries(runId)),
  }
}

interface Waiting {
  readonly entry: JournalEntry
  readonly characters: number
  readonly written: PromiseWithResolvers<void>
}

/** Writes the entries of one that works on a run, in order. The relay refuses it where another one has written. */
class RunWriter {
  readonly #runs: RunJournals
  readonly #runId: string
  readonly #waiting: Waiting[] = []
  /** Entries that are there. */
  #count: number
  #sending = false
  #lingering: NodeJS.Timeout | undefined
  readonly #signal: AbortSignal
  #failure: unknown

  constructor(runs: RunJournals, runId: string, { index, signal }: JournalPlace) {
    this.#runs = runs
    this.#runId = runId
    this.#count = index
    this.#signal = signal
  }

  append(entry: JournalEntry): Promise<void> {
    const written = this.#add(entry)
    if (!this.#sending) void this.#send()
    return written
  }

  note(entry: JournalEntry): Promise<void> {
    const written = this.#add(entry)
    if (!this.#sending) this.#lingering ??= setTimeout(() => void this.#send(), LINGER_MS)
    return written
  }

  #add(entry: JournalEntry): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const waiting = { entry, characters: JSON.stringify(entry).length, written: Promise.withResolvers<void>() }
    this.#waiting.push(waiting)
    return waiting.written.promise
  }

  async #send(): Promise<void> {
    this.#sending = true
    clearTimeout(this.#lingering)
    this.#lingering = undefined
    // What is written in the same turn goes together.
    await Promise.resolve()
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      try {
        await this.#write(batch)
        this.#count += batch.length
        for (const { written } of batch) written.resolve()
      } catch (error) {
        this.#failure = error
        for (const { written } of [...batch, ...this.#waiting.splice(0)]) written.reject(error)
      }
    }
    this.#sending = false
  }

  #take(): Waiting[] {
    let characters = 0
    const end = this.#waiting.findIndex((waiting, index) => {
      characters += waiting.characters
      return index > 0 && (characters > REQUEST_CHARACTERS || this.#count === 0 || index === MAX_RUN_APPEND_ENTRIES)
    })
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end)
  }

  /** Sent again after a lost answer, it is there once all the same. */
  async #write(batch: readonly Waiting[]): Promise<void> {
    const entries = batch.map(({ entry }) => entry)
    const end = Date.now() + (entries.some(failsAnyway) ? LAST_PATIENCE_MS : PATIENCE_MS)
    using late = lateSignal(this.#signal, LAST_PATIENCE_MS)
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      try {
        await this.#request(entries, late)
        return
      } catch (error) {
        if (!mayPass(error) || Date.now() >= end || late.signal.aborted) throw error
        await wait(waitMs * Math.random(), undefined, { signal: late.signal }).catch(() => undefined)
      }
    }
  }

  async #request(entries: readonly JournalEntry[], { signal }: LateSignal): Promise<void> {
    const sent: RunEntry[] = entries.map((entry) => ({ ...entry }))
    const [first] = entries
    const [entry] = sent
    if (this.#count > 0) return this.#runs.append(this.#runId, this.#count, sent, { signal })
    if (first?.type !== 'run_started' || entry === undefined)
      throw new CmdopError(
        'conflict',
        'The relay keeps the journal of a run from its beginning, and this one has none.',
      )
    const { machineId, agentType, model, title, settings }: RunStarted = first
    const policy = settings.policy === undefined ? {} : { policy: settings.policy }
    await this.#runs.create({ runId: this.#runId, machineId, agentType, model, title, ...policy, entry }, { signal })
  }
}

function failsAnyway(entry: JournalEntry): boolean {
  return entry.type === 'run_stopped' || (entry.type === 'run_ended' && entry.status !== 'completed')
}

function mayPass(error: unknown): boolean {
  return isCmdopError(error) && ['connection', 'timeout', 'unavailable', 'rate_limit'].includes(error.code)
}
