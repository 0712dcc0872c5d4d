import { randomUUID } from 'node:crypto'
import { isCmdopError } from '@cmdop/protocol'
import { boundedFact } from '../journal/bounded-fact.ts'
import { type Journal, type JournalEntry, type JournalFact, journalVersion, noJournal } from '../ports/journal.ts'
import { failureOfOwn } from './own-function.ts'
import { lateSignal, unlessAborted } from './patience.ts'

/** A journal as one run writes to it. */
export interface RunJournal {
  /** False: nothing is kept, and nothing has to be made for it. */
  readonly isKept: boolean
  /** Whether something was written: the run has begun, or is gone on with, in this process. */
  readonly hasBegun: boolean
  /** Whether somebody else has gone on with the run meanwhile: what is left of it is theirs. */
  readonly isTakenOver: boolean
  /** Resolves when this and everything before it is durable. */
  append(runId: string, fact: JournalFact): Promise<void>
  /** Writes down what nothing waits for. If it cannot be written, the next `append` says so. */
  note(runId: string, fact: JournalFact): void
  /** From now on nothing waits long once this signal, of the run, is aborted. */
  stopWith(signal: AbortSignal): void
}

/** Milliseconds for which a run that is stopped waits for its journal. */
const STOPPED_PATIENCE_MS = 1_500

const nothingKept: RunJournal = {
  isKept: false,
  hasBegun: false,
  isTakenOver: false,
  append: () => kept,
  note: () => undefined,
  stopWith: () => undefined,
}

/** Adds to each fact what every entry has. Costs nothing where nothing is kept. `past`: of a run that goes on. */
export function runJournal(journal: Journal, past?: { readonly count: number }): RunJournal {
  if (journal === noJournal) return nothingKept
  const pending = new Set<Promise<void>>()
  const writer = randomUUID()
  let index = past?.count ?? 0
  let signal = new AbortController().signal
  let hasBegun = false
  let failure: unknown
  const isTakenOver = (): boolean => isCmdopError(failure) && failure.code === 'conflict'
  const failed = (error: unknown): void => {
    failure ??= error
    // What was not written takes no place.
    index -= 1
  }
  const write = (method: 'append' | 'note', runId: string, fact: JournalFact): Promise<void> => {
    if (isTakenOver()) return Promise.reject(failure)
    const entry: JournalEntry = { v: journalVersion, runId, at: new Date().toISOString(), ...boundedFact(fact) }
    const place = { writer, index: index++, signal }
    const written = handed(journal, method, entry, place)
    written.catch(failed)
    return written
  }
  return {
    isKept: true,
    get hasBegun() {
      return hasBegun
    },
    get isTakenOver() {
      return isTakenOver()
    },
    append: async (runId, fact) => {
      const written = write('append', runId, fact)
      using late = lateSignal(signal, STOPPED_PATIENCE_MS)
      await unlessAborted(Promise.all([...pending, written]), late.signal)
      hasBegun = true
    },
    note: (runId, fact) => {
      const written = write('note', runId, fact)
      pending.add(written)
      written.then(
        () => pending.delete(written),
        () => undefined,
      )
    },
    stopWith: (given) => void (signal = given),
  }
}

const kept = Promise.resolve()

/** Gives an entry to a journal, which may be anybody's. */
async function handed(journal: Journal, method: 'append' | 'note', ...entry: Parameters<Journal['append']>) {
  try {
    await (method === 'note' && journal.note !== undefined ? journal.note(...entry) : journal.append(...entry))
  } catch (error) {
    throw failureOfOwn('journal of this agent', error)
  }
}
