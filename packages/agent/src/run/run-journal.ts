import { boundedFact } from '../journal/bounded-fact.ts'
import { type Journal, type JournalEntry, type JournalFact, journalVersion, noJournal } from '../ports/journal.ts'

/** A journal as one run writes to it. */
export interface RunJournal {
  /** False: nothing is kept, and nothing has to be made for it. */
  readonly isKept: boolean
  /** Whether something was written: the run has begun, or is gone on with, in this process. */
  readonly hasBegun: boolean
  /** Resolves when this and everything before it is durable. */
  append(runId: string, fact: JournalFact): Promise<void>
  /** Writes down what nothing waits for. If it cannot be written, the next `append` says so. */
  note(runId: string, fact: JournalFact): void
}

/** Adds to each fact what every entry has. Costs nothing where nothing is kept. */
export function runJournal(journal: Journal): RunJournal {
  if (journal === noJournal) return { isKept: false, hasBegun: false, append: () => kept, note: () => undefined }
  const pending = new Set<Promise<void>>()
  let hasBegun = false
  const entryOf = (runId: string, fact: JournalFact): JournalEntry => ({
    v: journalVersion,
    runId,
    at: new Date().toISOString(),
    ...boundedFact(fact),
  })
  return {
    isKept: true,
    get hasBegun() {
      return hasBegun
    },
    append: async (runId, fact) => {
      const written = journal.append(entryOf(runId, fact))
      await Promise.all([...pending, written])
      hasBegun = true
    },
    note: (runId, fact) => {
      const entry = entryOf(runId, fact)
      const written = journal.note?.(entry) ?? journal.append(entry)
      pending.add(written)
      written.then(
        () => pending.delete(written),
        () => undefined,
      )
    },
  }
}

const kept = Promise.resolve()
