import { lstatSync, readdirSync } from 'node:fs'
import { joinBytes } from '../disk/path-bytes.ts'
import { Journal, listJournals } from './journal.ts'

/** How long and how much of old versions is kept for undo. */
export interface JournalBounds {
  /** Journals older than this go. Default: 7 days. */
  readonly maxAgeMs?: number
  /** Bytes on the disk of all old versions together; the oldest journals go first. Default: 2 GB. */
  readonly maxBytes?: number
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000
const TWO_GB = 2 * 1024 ** 3

/** Removes journals of applied effects over the bounds; these effects cannot be undone any more. Gives their ids. */
export async function pruneJournals(
  journals: string,
  { maxAgeMs = WEEK_MS, maxBytes = TWO_GB }: JournalBounds = {},
  now = Date.now(),
): Promise<string[]> {
  const kept = listJournals(journals)
    .flatMap((folder) => Journal.open(folder) ?? [])
    .filter((journal) => journal.isMarked('applied') && !journal.isMarked('undoing'))
    .sort((one, other) => other.head.createdAt - one.head.createdAt)
  const removed: string[] = []
  let bytes = 0
  for (const journal of kept) {
    bytes += journal.head.layers.reduce((sum, { stash }) => sum + bytesOf(Buffer.from(stash)), 0)
    if (bytes <= maxBytes && now - journal.head.createdAt <= maxAgeMs) journal[Symbol.dispose]()
    else {
      await journal.remove()
      removed.push(journal.head.effectId)
    }
  }
  return removed
}

/** Bytes that a stash takes up. A slot holds a file, or a directory that was empty. */
function bytesOf(stash: Buffer): number {
  const names = lstatSync(stash, { throwIfNoEntry: false }) ? readdirSync(stash, { encoding: 'buffer' }) : []
  return names.reduce(
    (sum, name) => sum + (lstatSync(joinBytes(stash, name), { throwIfNoEntry: false })?.blocks ?? 0) * 512,
    0,
  )
}
