import type { Change } from './change.ts'

/** What `noDelete` and `noOverwrite` forbid. `overwritten` is of `noOverwrite` alone; `deferred:cron` and so on name their rule. */
export type ViolationRule = 'deleted' | 'replaced' | 'emptied' | 'moved-away' | 'overwritten' | `deferred:${string}`

/** The rules that one change breaks. `movedAway`: the changes at whose path nothing is left, but the content is elsewhere. */
export function violationsOf(change: Change, moved: MovedPaths, deferred: string | undefined): ViolationRule[] {
  const rules: ViolationRule[] = []
  const loss = lossOf(change, moved)
  if (loss) rules.push(loss)
  if (deferred !== undefined && change.kind !== 'deleted') rules.push(`deferred:${deferred}`)
  if (change.kind === 'modified' && !rules.includes('emptied')) rules.push('overwritten')
  return rules
}

/** Deleted paths whose content is kept at a new path, and those of which only the name of the new path remains. */
export interface MovedPaths {
  readonly intact: ReadonlySet<Change>
  readonly changed: ReadonlySet<Change>
}

/** Tells which deletions are moves. */
export function movedPaths(changes: readonly Change[], movedDirectories: ReadonlySet<Change>): MovedPaths {
  const intact = new Set<Change>(movedDirectories)
  const changed = new Set<Change>()
  for (const change of changes) {
    // A move onto another file leaves one where there were two: the deletion stays one.
    if (change.kind !== 'added') continue
    const from = change.movedFrom ?? change.copyOf
    if (from?.kind !== 'deleted') continue
    if (isIntact(change, from)) intact.add(from)
    else changed.add(from)
  }
  return { intact, changed }
}

function lossOf(change: Change, moved: MovedPaths): ViolationRule | undefined {
  const { before, after, kind } = change
  if (!before || kind === 'metadata' || kind === 'times') return undefined
  if (!after) return moved.intact.has(change) ? undefined : moved.changed.has(change) ? 'moved-away' : 'deleted'
  if (kind === 'replaced') return 'replaced'
  return isEmptied(change) ? 'emptied' : undefined
}

/** True for a file that had content and has none. */
export function isEmptied({ before, after }: Change): boolean {
  return before?.type === 'file' && after?.type === 'file' && before.size > 0 && after.size === 0
}

function isIntact({ after, source, sha256, copyOf }: Change, from: Change): boolean {
  if (copyOf) return true
  if (after?.type !== 'file') return after?.target?.equals(from.before?.target ?? Buffer.alloc(0)) ?? true
  return source?.where === 'real' || (sha256 !== undefined && sha256 === from.sha256)
}
