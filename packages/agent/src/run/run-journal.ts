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
  /** Writes down that the run begins. Nothing waits for it before the first `append`, which says so if it cannot be written. */
  begin(runId: string, fact: JournalFact): void
  /** Resolves when it is known whether the beginning is durable, with why it is not. Never rejects. */
  beginning(): Promise<{ readonly failure: unknown } | undefined>
  /** Resolves when this and everything before it is durable. */
  append(runId: string, fact: JournalFact): Promise<void>
  /** Writes down what nothing waits for. If it cannot be written, the next `append` says so. */
  note(runId: string, fact: JournalFact): void
  /** From now on nothing waits long once this signal, of the run, is aborted. */
  stopWith(signal: AbortSignal): void
}

const kept = Promise.resolve()

/** Milliseconds for which a run that is stopped waits for its journal. */
const STOPPED_PATIENCE_MS = 1_500

const nothingKept: RunJournal = {
  isKept: false,
  hasBegun: false,
  isTakenOver: false,
  begin: () => undefined,
  beginning: () => Promise.resolve(undefined),
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
  let beginning: ReturnType<RunJournal['beginning']> = Promise.resolve(undefined)
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
    begin: (runId, fact) => {
      const written = write('append', runId, fact)
      pending.add(written)
      beginning = written.then(
        () => {
          hasBegun = true
          pending.delete(written)
          return undefined
        },
        (reason: unknown) => ({ failure: reason }),
      )
    },
    beginning: async () => {
      using late = lateSignal(signal, STOPPED_PATIENCE_MS)
      return await unlessAborted(beginning, late.signal).catch((reason: unknown) => ({ failure: reason }))
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

/** Gives an entry to a journal, which may be anybody's. */
async function handed(journal: Journal, method: 'append' | 'note', ...entry: Parameters<Journal['append']>) {
  try {
    await (method === 'note' && journal.note !== undefined ? journal.note(...entry) : journal.append(...entry))
  } catch (error) {
    throw failureOfOwn('journal of this agent', error)
  }
}
