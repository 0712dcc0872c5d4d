import { keyOf, parentOf } from '../disk/path-bytes.ts'
import type { EntryState } from '../disk/entry-state.ts'
import type { Change } from '../effects/change.ts'
import type { Step, StepState } from './step.ts'
import type { Treatment } from './treatments.ts'

/** What building the steps needs to know beside the treatments. */
export interface StepContext {
  /** Inode numbers of staged entries by layer and slot. */
  readonly inodes: ReadonlyMap<string, bigint>
  /** A directory of the real disk; undefined where there is none. */
  directory(layer: number, path: Buffer): EntryState | undefined
  /** When the view began: a directory that others changed since keeps the time it has. */
  readonly startedNs: bigint
}

/** Key of a slot among those of all layers. */
export function slotKey(layer: number, slot: string): string {
  return `${layer}/${slot}`
}

/** Steps in order: entries away (deepest first), entries in place (shallowest first), contents, then attributes (deepest first). */
export function buildSteps(treatments: readonly Treatment[], context: StepContext): Step[] {
  const byChange = new Map(treatments.map((treatment) => [treatment.change, treatment]))
  const takes = treatments.flatMap(takeStep).toReversed()
  const puts = treatments.flatMap((treatment) => putSteps(treatment, { byChange, context }))
  const order = ['directory', 'stage', 'move', 'link', 'write'] as const
  const placed = order.flatMap((phase) => puts.flatMap((put) => (put.phase === phase ? [put.step] : [])))
  return [...takes, ...placed, ...finishSteps(treatments, context)]
}

function takeStep({ change, layer, taken }: Treatment): Step[] {
  if (taken === undefined || !change.before) return []
  return [{ do: 'take', layer, path: change.path, slot: taken, before: stepState(change.before) }]
}

interface Put {
  readonly phase: 'directory' | 'stage' | 'move' | 'link' | 'write'
  readonly step: Step
}

interface PutContext {
  readonly byChange: ReadonlyMap<Change, Treatment>
  readonly context: StepContext
}

function putSteps(treatment: Treatment, { byChange, context }: PutContext): Put[] {
  const { change, layer, how, slot, taken, anchor } = treatment
  const { path, before, after, movedFrom } = change
  const replaces = before && taken === undefined ? { replaces: stepState(before) } : {}
  if (how === 'stage') {
    const ino = inodeOf(context, layer, slot)
    return [
      {
        phase: after?.type === 'directory' ? 'directory' : 'stage',
        step: { do: 'put', layer, path, slot, ino, ...replaces },
      },
    ]
  }
  if (how === 'link' && anchor) {
    const ino = anchor.ino ?? inodeOf(context, anchor.layer, anchor.slot ?? '')
    return [
      {
        phase: 'link',
        step: { do: 'link', layer, path, slot, ino, anchor: { layer: anchor.layer, path: anchor.path }, ...replaces },
      },
    ]
  }
  if (how === 'move' && movedFrom?.before) {
    const from = byChange.get(movedFrom)
    const ino = movedFrom.before.ino
    const put: Step = { do: 'put', layer, path, slot: from?.taken ?? from?.slot ?? '', ino, ...replaces }
    return [{ phase: 'move', step: put }, ...writeStep(treatment, { ino, before: movedFrom.before })]
  }
  return how === 'keep' && before && change.kind === 'modified' ? writeStep(treatment, { ino: before.ino, before }) : []
}

/** Whether the content of an inode that stays, or moves, is written; what it was is copied to slot `w...` before. */
export function isWritten({ change, how }: Treatment): boolean {
  const { kind, source, sha256, movedFrom } = change
  if (source?.where !== 'upper') return false
  if (how === 'keep') return kind === 'modified'
  return how === 'move' && (movedFrom?.sha256 === undefined || movedFrom.sha256 !== sha256)
}

/** Slot of the copy of the old content. */
export function preImageSlot({ slot }: Treatment): string {
  return `w${slot}`
}

function writeStep(treatment: Treatment, { ino, before }: { ino: bigint; before: EntryState }): Put[] {
  const { change, layer } = treatment
  if (!isWritten(treatment) || !change.source) return []
  const { path, source } = change
  const step: Step = {
    do: 'write',
    layer,
    path,
    slot: preImageSlot(treatment),
    ino,
    from: source,
    before: stepState(before),
  }
  return [{ phase: 'write', step }]
}

/** Attributes of what stayed, moved or is a new directory, and the times of every directory in which something came or went. */
function finishSteps(treatments: readonly Treatment[], context: StepContext): Step[] {
  const finish = new Map<string, { path: Buffer; steps: Step[] }>()
  const add = (place: { layer: number; path: Buffer }, treatment: Treatment | undefined) => {
    const key = slotKey(place.layer, keyOf(place.path))
    if (finish.has(key)) return
    const steps = [
      ...(treatment ? attributeSteps(treatment, context) : []),
      ...timesStep({ ...place, treatment }, context),
    ]
    finish.set(key, { path: place.path, steps })
  }
  const byPath = new Map(
    treatments.map((treatment) => [slotKey(treatment.layer, keyOf(treatment.change.path)), treatment]),
  )
  for (const treatment of treatments) {
    const { change, layer, how } = treatment
    if (how !== 'remove') add({ layer, path: change.path }, treatment)
    if (how === 'times' || how === 'keep' || change.path.length === 0) continue
    const parent = { layer, path: parentOf(change.path) }
    const above = byPath.get(slotKey(layer, keyOf(parent.path)))
    if (!above || above.change.after?.type === 'directory') add(parent, above)
  }
  return [...finish.values()].sort((one, other) => Buffer.compare(other.path, one.path)).flatMap(({ steps }) => steps)
}

function attributeSteps({ change, layer, how, slot }: Treatment, context: StepContext): Step[] {
  const { path, before, after, movedFrom } = change
  if (!after || how === 'times') return []
  const present = how === 'keep' ? before : how === 'move' ? movedFrom?.before : undefined
  if (present)
    return [{ do: 'attributes', layer, path, ino: present.ino, before: stepState(present), after: stepState(after) }]
  if (how !== 'stage' || after.type !== 'directory') return []
  return [{ do: 'attributes', layer, path, ino: inodeOf(context, layer, slot), after: stepState(after) }]
}

interface DirectoryPlace {
  readonly layer: number
  readonly path: Buffer
  readonly treatment: Treatment | undefined
}

function timesStep({ layer, path, treatment }: DirectoryPlace, context: StepContext): Step[] {
  const after = treatment?.change.after
  if (after && after.type !== 'directory') return []
  if (treatment?.how === 'stage' && after)
    return [{ do: 'times', layer, path, ino: inodeOf(context, layer, treatment.slot), after: after.mtimeNs }]
  const before = treatment?.change.before ?? context.directory(layer, path)
  if (!before) return []
  const wanted = before.ctimeNs > context.startedNs ? {} : { after: after?.mtimeNs ?? before.mtimeNs }
  return [{ do: 'times', layer, path, ino: before.ino, mode: before.mode, before: before.mtimeNs, ...wanted }]
}

function inodeOf({ inodes }: StepContext, layer: number, slot: string): bigint {
  const ino = inodes.get(slotKey(layer, slot))
  if (ino === undefined) throw new Error(`Nothing was staged in slot ${slot}.`)
  return ino
}

function stepState(state: EntryState): StepState {
  const { type, ino, nlink, ctimeNs, size, mode, uid, gid, mtimeNs, xattrs } = state
  return { type, ino, nlink, ctimeNs, size, mode, uid, gid, mtimeNs, xattrs }
}
