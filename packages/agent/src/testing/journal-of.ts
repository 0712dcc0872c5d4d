import { createMemoryJournal, type JournalEntry, type MemoryJournal } from '../ports/journal.ts'

/** A journal that has these entries already, of one run or several. */
export function journalOf(before: readonly JournalEntry[]): MemoryJournal {
  const journal = createMemoryJournal()
  const counts = new Map<string, number>()
  const { signal } = new AbortController()
  for (const entry of before) {
    const index = counts.get(entry.runId) ?? 0
    counts.set(entry.runId, index + 1)
    void journal.append(entry, { writer: 'before', index, signal })
  }
  return journal
}
