import { CmdopError } from '@cmdop/protocol'
import type { Change, Changes } from '../effects/change.ts'
import { fullPath } from '../effects/effect-hash.ts'
import { isWithin } from '../disk/path-bytes.ts'
import type { View } from '../view.ts'

/** Paths that are named; all are counted. */
const MAX_PATHS = 100

/** One path that is not as the view knew it. */
export interface Conflict {
  readonly path: Buffer
  readonly why: string
}

/**
 * Compares what a view changes with when the view began: what changed on the disk since then was not what the commands saw. The time
 * is the kernel's own, of a file made before the view, so that no clock matters.
 */
export function findConflicts({ changes, unread }: Changes, view: View, startedNs: bigint): Conflict[] {
  const folder = Buffer.from(view.folder)
  return [
    ...unread.map(({ path }) => ({ path, why: 'cannot be read, so that what would be deleted in it is not known' })),
    ...changes
      .filter((change) => isWithin(fullPath(change), folder))
      .map((change) => ({ path: fullPath(change), why: 'holds this view itself' })),
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
