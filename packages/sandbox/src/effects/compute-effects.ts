import type { EffectList } from '@cmdop/protocol'
import { keyOf } from '../disk/path-bytes.ts'
import type { View } from '../view.ts'
import type { Change, Changes } from './change.ts'
import { type DeferredPlaces, createDeferredCheck } from './deferred.ts'
import { type DiffLimits, createDiffer } from './diff.ts'
import { findMovedDirectories } from './directories.ts'
import { effectHash, fullPath, sortChanges } from './effect-hash.ts'
import { MAX_CHANGES } from './folded.ts'
import { type ListLimits, listEffects } from './list-effects.ts'
import { findMoves } from './moves.ts'
import { UpperDirectories } from './upper-directories.ts'
import { walkView } from './walk.ts'

/** Options of `computeEffects`. */
export interface EffectOptions {
  /** Where things are that run later, beside the built-in rules. */
  readonly deferred?: DeferredPlaces
  readonly diffs?: DiffLimits
  readonly limits?: ListLimits
  readonly sideEffects?: EffectList['sideEffects']
  readonly signal?: AbortSignal
  /** Changes that are kept one by one. Default: {@link MAX_CHANGES}; with another number the hash is another. */
  readonly most?: number
}

/** What a view changes and its hash; the material of an effect list and of an apply. */
export interface ComputedChanges extends Changes {
  readonly hash: string
}

/**
 * Compares a view with the real disk and gives the list that people and policies look at. Nothing outside of the view's folder is
 * written to. The hash stands for every change and for the disk it was compared with. Of more than {@link MAX_CHANGES} changes, those
 * over it are only counted, the list says `truncated` and a violation `too-large`, and the effect is not applied by anybody.
 */
export async function computeEffects(view: View, options: EffectOptions = {}): Promise<EffectList> {
  using directories = new UpperDirectories()
  const computed = await computeChanges(view, directories, options)
  const addedDirectories = new Set(computed.changes.filter(isAddedDirectory).map((change) => keyOf(fullPath(change))))
  const check = createDeferredCheck(options.deferred)
  const listed = listEffects(computed.changes, {
    folded: computed.folded,
    movedDirectories: findMovedDirectories(computed.changes),
    deferred: (change) => check(change, addedDirectories),
    diff: createDiffer(options.diffs),
    ...(options.limits && { limits: options.limits }),
  })
  return {
    effectId: view.id,
    hash: computed.hash,
    ...listed,
    unpreviewable: [
      ...(view.unpreviewable ?? []),
      ...computed.unread.map(({ path, why }) => ({ path: path.toString(), why })),
    ],
    sideEffects: options.sideEffects ?? { network: 'none', networkAttempts: 0, backgroundKilled: 0 },
  }
}

/** Every change of a view, sorted by path, and the hash over them. Contents can be read until the directories are closed. */
export async function computeChanges(
  view: View,
  directories: UpperDirectories,
  { signal, most = MAX_CHANGES }: Pick<EffectOptions, 'signal' | 'most'> = {},
): Promise<ComputedChanges> {
  const { changes, anchors, unread, folded } = await walkView(view, directories, { signal, most })
  const sorted = sortChanges(changes)
  await findMoves(sorted)
  return { changes: sorted, anchors, unread, folded, hash: effectHash(sorted, folded.hash()) }
}

function isAddedDirectory(change: Change): boolean {
  return change.kind === 'added' && change.after?.type === 'directory'
}
