import { lstatSync, readdirSync } from 'node:fs'
import { joinBytes } from '../disk/path-bytes.ts'
import { createPace } from '../pace.ts'
import { Journal, listJournals } from './journal.ts'

/** How long and how much of old versions is kept for undo. */
export interface JournalBounds {
  /** Journals older than this go. Default: 7 days. */
  readonly maxAgeMs?: number
  /** Bytes on the disk of all old versions together; the oldest journals go first. Default: 2 GB. */
  readonly maxBytes?: number
  /** Journals; the oldest go first. Default: 10,000. */
  readonly maxCount?: number
}

const MAX_JOURNALS = 10_000
const WEEK_MS = 7 * 24 * 60 * 60 * 1000
const TWO_GB = 2 * 1024 ** 3

/**
 * Removes journals of applied effects over the bounds; these effects cannot be undone any more. Gives their ids. The newest stays,
 * however large: what was applied last can be taken back.
 */
export async function pruneJournals(
  journals: string,
  { maxAgeMs = WEEK_MS, maxBytes = TWO_GB, maxCount = MAX_JOURNALS }: JournalBounds = {},
  now = Date.now(),
): Promise<string[]> {
  const removed: string[] = []
  let total = 0
  const newestFirst = (await keptIn(journals)).toSorted((one, other) => other.createdAt - one.createdAt)
  for (const [index, { folder, effectId, createdAt, bytes }] of newestFirst.entries()) {
    total += bytes
    if (index === 0 || (total <= maxBytes && now - createdAt <= maxAgeMs && index < maxCount)) continue
    await Journal.open(folder)?.remove()
    removed.push(effectId)
  }
  return removed
}

/** What can be undone. One at a time is open: each holds a descriptor for every layer. */
async function keptIn(journals: string) {
  const pace = createPace()
  const kept: { folder: string; effectId: string; createdAt: number; bytes: number }[] = []
  for (const folder of listJournals(journals)) {
    using journal = openOrLeave(folder)
    if (journal?.isMarked('applied') === true && !journal.isMarked('undoing')) {
      const { effectId, createdAt, layers } = journal.head
      const bytes = layers.reduce((sum, { stash }) => sum + bytesOf(Buffer.from(stash)), 0)
      kept.push({ folder, effectId, createdAt, bytes })
    }
    await pace()
  }
  return kept
}

/** One whose disk is not there now is neither counted nor removed. */
function openOrLeave(folder: string): Journal | undefined {
  try {
    return Journal.open(folder)
  } catch {
    return undefined
  }
}

/** Bytes that a stash takes up. A slot holds a file, or a directory that was empty. */
function bytesOf(stash: Buffer): number {
  const names = lstatSync(stash, { throwIfNoEntry: false }) ? readdirSync(stash, { encoding: 'buffer' }) : []
  return names.reduce(
    (sum, name) => sum + (lstatSync(joinBytes(stash, name), { throwIfNoEntry: false })?.blocks ?? 0) * 512,
    0,
  )
}
