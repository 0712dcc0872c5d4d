import { CmdopError } from '@cmdop/protocol'
import type { Change, Changes } from '../effects/change.ts'
import { fullPath } from '../effects/effect-hash.ts'
import { isWithin } from '../disk/path-bytes.ts'

/** Paths that are named; all are counted. */
const MAX_PATHS = 100

/** One path that is not as the view knew it. */
export interface Conflict {
  readonly path: Buffer
  readonly why: string
}

/** What a view is compared with. */
interface ConflictOptions {
  /** Folders that no effect may touch: of views, of journals. */
  readonly own: readonly string[]
  /** When the view began. */
  readonly startedNs: bigint
}

/**
 * Compares what a view changes with when the view began: what changed on the disk since then was not what the commands saw. The time
 * is the kernel's own, of a file made before the view, so that no clock matters.
 */
export function findConflicts({ changes, unread }: Changes, { own, startedNs }: ConflictOptions): Conflict[] {
  const folders = own.map((folder) => Buffer.from(folder))
  const isOwn = (change: Change) => folders.some((folder) => isWithin(fullPath(change), folder))
  return [
    ...unread.map(({ path }) => ({ path, why: 'cannot be read, so that what would be deleted in it is not known' })),
    ...changes.filter(isOwn).map((change) => ({ path: fullPath(change), why: 'is where views and journals are kept' })),
    ...changes
      .filter((change) => isDrift(change, startedNs))
      .map((change) => ({ path: fullPath(change), why: 'was changed since the command began' })),
  ]
}

/** Throws `effect_conflict` with the paths when there are any. */
export function refuseConflicts(conflicts: readonly Conflict[]): void {
  const [first] = conflicts
  if (!first) return
  const paths = conflicts.slice(0, MAX_PATHS).map(({ path }) => path.toString())
  const more = conflicts.length > 1 ? ` and ${conflicts.length - 1} more` : ''
  throw new CmdopError(
    'effect_conflict',
    `Nothing was applied: ${JSON.stringify(paths[0])}${more} ${first.why}. Run the command again.`,
    {
      details: { paths, count: conflicts.length },
    },
  )
}

function isDrift({ kind, before }: Change, startedNs: bigint): boolean {
  // Others may make and remove files in a directory of which only the time is carried over.
  return before !== undefined && kind !== 'times' && before.ctimeNs > startedNs
}
