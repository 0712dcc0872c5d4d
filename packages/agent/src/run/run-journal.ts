import { type Journal, type JournalFact, journalVersion, noJournal } from '../ports/journal.ts'

/** A journal as a run writes to it. */
export interface RunJournal {
  /** False: nothing is kept, and nothing has to be made for it. */
  readonly isKept: boolean
  append(runId: string, fact: JournalFact): Promise<void>
}

/** Adds to each fact what every entry has. Costs nothing where nothing is kept. */
export function runJournal(journal: Journal): RunJournal {
  if (journal === noJournal) return { isKept: false, append: () => kept }
  return {
    isKept: true,
    append: (runId, fact) => journal.append({ v: journalVersion, runId, at: new Date().toISOString(), ...fact }),
  }
}

const kept = Promise.resolve()
