import { createHash } from 'node:crypto'
import type { Change } from './change.ts'
import { fullPath, updateHash } from './effect-hash.ts'

/**
 * Changes that are kept one by one; about 1 KB of memory each. What is over is folded, so that looking at an effect takes no more than
 * 200 MB however large it is. An effect with folded changes can be looked at and discarded, not applied.
 */
export const MAX_CHANGES = 100_000

/** Changes of which only their number, the first path and one hash over all are kept. */
export class FoldedChanges {
  readonly counts: Record<string, number> = {}
  /** The path of the first; undefined when there are none. */
  first: Buffer | undefined
  readonly #sum = createHash('sha256')

  /** To be called in the order of the walk, which is that of the names. Times of directories count nothing. */
  add(change: Change): void {
    if (change.kind === 'times') return
    this.first ??= fullPath(change)
    this.counts[change.kind] = (this.counts[change.kind] ?? 0) + 1
    updateHash(this.#sum, change, change.linkGroup)
  }

  /** Of all so far; undefined when there are none. */
  hash(): string | undefined {
    return this.first && this.#sum.copy().digest('hex')
  }
}
