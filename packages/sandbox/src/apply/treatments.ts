import type { Change, Changes } from '../effects/change.ts'
import type { ViewLayer } from '../view.ts'

/** How one change is carried out. */
export interface Treatment {
  readonly change: Change
  readonly layer: number
  /**
   * - `remove`: deleted, nothing comes to its place
   * - `keep`: the entry stays and gets content or attributes
   * - `stage`: a new entry, made in the stash
   * - `move`: the entry of another path
   * - `link`: one more name of the entry at `anchor`
   */
  readonly how: 'remove' | 'keep' | 'stage' | 'move' | 'link' | 'times'
  /** Slot of the stash that the new entry comes from. */
  readonly slot: string
  /** Slot that the old entry is taken to before anything is put in place; absent: it stays, or changes places with the new one. */
  readonly taken?: string
  readonly anchor?: Anchor
}

/** What the other names of a file are linked to. */
export interface Anchor {
  readonly layer: number
  readonly path: Buffer
  /** Of the entry, when it is on the disk already. */
  readonly ino?: bigint
  /** Of the entry, when it is still to be staged. */
  readonly slot?: string
}

/** Decides for every change, in their order, how it is carried out. */
export function decideTreatments({ changes, anchors }: Changes, layers: readonly ViewLayer[]): Treatment[] {
  const numbers = new Map(layers.map((layer, index) => [layer, index]))
  const numberOf = (layer: ViewLayer) => numbers.get(layer) ?? 0
  const known = new Map<string, Anchor>(
    [...anchors].map(([group, { layer, path, ino }]) => [group, { layer: numberOf(layer), path, ino }]),
  )
  // A name that keeps or brings an inode of the disk is what the other names are linked to, wherever it stands in the order.
  for (const change of changes) {
    const { linkGroup, path } = change
    const ino = change.sameInode ? change.before?.ino : change.movedFrom?.before?.ino
    if (linkGroup && ino !== undefined && !known.has(linkGroup))
      known.set(linkGroup, { layer: numberOf(change.layer), path, ino })
  }
  const sources = new Set(changes.map(({ movedFrom }) => movedFrom))
  return changes.map((change, index) => {
    const layer = numberOf(change.layer)
    const anchor = change.linkGroup === undefined ? undefined : known.get(change.linkGroup)
    const how = howOf(change, layer, anchor)
    const slot = `n${index}`
    if (how === 'stage' && change.linkGroup) known.set(change.linkGroup, { layer, path: change.path, slot })
    const taken = isTaken(change, how, sources.has(change)) ? `o${index}` : undefined
    return { change, layer, how, slot, ...(taken && { taken }), ...(how === 'link' && anchor && { anchor }) }
  })
}

function howOf(change: Change, layer: number, anchor: Anchor | undefined): Treatment['how'] {
  const { kind, after, sameInode } = change
  if (kind === 'times') return 'times'
  if (!after) return 'remove'
  if (sameInode && (kind === 'metadata' || after.type === 'file')) return 'keep'
  if (anchor && isOtherEntry(anchor, { layer, change })) return 'link'
  return change.movedFrom ? 'move' : 'stage'
}

function isOtherEntry(anchor: Anchor, { layer, change }: { layer: number; change: Change }): boolean {
  if (anchor.layer !== layer || anchor.path.equals(change.path)) return false
  return anchor.ino === undefined || anchor.ino !== change.before?.ino
}

/** An old entry goes first when nothing replaces it, when its type is another, or when its own inode and the new one both move. */
function isTaken({ before, after }: Change, how: Treatment['how'], isSource: boolean): boolean {
  if (!before || how === 'keep' || how === 'times') return false
  if (how === 'remove' || before.type === 'directory' || after?.type === 'directory') return true
  return isSource && how !== 'stage'
}
