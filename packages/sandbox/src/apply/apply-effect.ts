import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { readState } from '../disk/entry-state.ts'
import { codeOf } from '../disk/system-error.ts'
import type { Change } from '../effects/change.ts'
import { type ComputedChanges, computeChanges } from '../effects/compute-effects.ts'
import { createPace } from '../pace.ts'
import { UpperDirectories } from '../effects/upper-directories.ts'
import { refuseOtherBoot } from '../view-marker.ts'
import type { View } from '../view.ts'
import { writeAfterImage } from './after-image.ts'
import { buildSteps, isWritten, preImageSlot, slotKey } from './build-steps.ts'
import { findConflicts, refuseConflicts } from './conflicts.ts'
import { doStep } from './do-step.ts'
import { Journal } from './journal.ts'
import { KnownEntries } from './known-entries.ts'
import { rollBack } from './roll-back.ts'
import { copyPreImage, finishStaged, stageEntry } from './stage.ts'
import type { Step } from './step.ts'
import { syncTouched } from './sync-touched.ts'
import { type Treatment, decideTreatments } from './treatments.ts'

/** Options of `applyEffect`. */
export interface ApplyOptions {
  /** Folder of all journals of the daemon, mode 0700; each applied effect has one of its own name in it. */
  readonly journals: string
  readonly signal?: AbortSignal
  /** As the list was made with, where it was. */
  readonly most?: number
  /** Called before each write to the disk. Tests end the process there. */
  readonly onStep?: (step: string) => void
}

/**
 * Makes the real disk what a frozen view shows, if its effect is still the one with this hash: nothing else is ever applied.
 * Every path is compared with the disk first; `effect_conflict` names what was changed meanwhile, and nothing was applied. When a
 * step fails, all before it are taken back. The old versions are kept in the journal for `undoEffect`.
 */
export async function applyEffect(
  view: View,
  hash: string,
  options: ApplyOptions,
): Promise<{ readonly applied: number }> {
  refuseOtherBoot(view)
  const startedNs = statSync(view.marker, { bigint: true }).ctimeNs
  using directories = new UpperDirectories()
  const computed = withoutOthersTimes(await computeChanges(view, directories, options), startedNs)
  refuseConflicts(findConflicts(computed, { own: [view.folder, options.journals], startedNs }))
  if (computed.hash !== hash)
    throw new CmdopError(
      'effect_conflict',
      'Nothing was applied: the effect is not the one that was shown. Look at it again.',
      {
        details: { paths: [], hash: computed.hash },
      },
    )
  refuseTooLarge(computed)
  if (computed.changes.length === 0) return { applied: 0 }
  mkdirSync(options.journals, { recursive: true, mode: 0o700 })
  const journal = await Journal.create(join(options.journals, view.id), view, hash).catch((error: unknown) => {
    throw asCmdopError(error)
  })
  try {
    const steps = await prepare({ journal, view, computed, startedNs, options })
    await carryOut(journal, steps, options)
  } catch (error) {
    throw asCmdopError(error)
  } finally {
    journal[Symbol.dispose]()
  }
  return { applied: computed.changes.filter(({ kind }) => kind !== 'times').length }
}

/** A directory in which others made something since has the time of that. */
function withoutOthersTimes(computed: ComputedChanges, startedNs: bigint): ComputedChanges {
  const isTheirs = ({ kind, before }: Change) => kind === 'times' && before !== undefined && before.ctimeNs > startedNs
  return { ...computed, changes: computed.changes.filter((change) => !isTheirs(change)) }
}

function refuseTooLarge({ folded, changes }: ComputedChanges): void {
  if (folded.first === undefined) return
  throw new CmdopError(
    'unsupported',
    `Nothing was applied: the effect has more than ${changes.length} changes, which is too many at once. Do it in parts.`,
    { details: { most: changes.length } },
  )
}

interface Work {
  readonly journal: Journal
  readonly view: View
  readonly computed: ComputedChanges
  readonly startedNs: bigint
  readonly options: ApplyOptions
}

/** Stages new entries, copies what will be written over, and writes the plan, all of it through to the disk, which is as it was. */
async function prepare({ journal, view, computed, startedNs, options }: Work): Promise<Step[]> {
  try {
    const treatments = decideTreatments(computed, view.layers)
    const { inodes, contents } = await stageAll({ journal, options }, treatments)
    const directory = (layer: number, path: Buffer) => readState(journal.disk(layer).at(path))
    const steps = buildSteps(treatments, { inodes, directory, startedNs })
    options.onStep?.('plan')
    await journal.writePlan(steps, contents)
    for (const { change, layer, how, slot } of treatments)
      if (how === 'stage') finishStaged(change, journal.slot(layer, slot))
    return steps
  } catch (error) {
    await journal.remove()
    throw error
  }
}

/** Gives the inode numbers of staged entries, and the files whose content is not on the disk yet. */
async function stageAll(
  { journal, options }: Pick<Work, 'journal' | 'options'>,
  treatments: readonly Treatment[],
): Promise<{ inodes: Map<string, bigint>; contents: Buffer[] }> {
  const inodes = new Map<string, bigint>()
  const pace = createPace(options.signal)
  const contents: Buffer[] = []
  for (const treatment of treatments) {
    const { change, layer, how, slot } = treatment
    await pace()
    if (how === 'stage') {
      options.onStep?.(`stage ${slot}`)
      const to = journal.slot(layer, slot)
      inodes.set(slotKey(layer, slot), await stageEntry(change, to))
      if (change.after?.type === 'file') contents.push(to)
    }
    if (!isWritten(treatment)) continue
    options.onStep?.(`copy ${slot}`)
    const to = journal.slot(layer, preImageSlot(treatment))
    const old = how === 'move' ? change.movedFrom : change
    if (!old?.before) throw new Error('Nothing to copy: the entry is new.')
    await copyPreImage(journal.disk(layer), { path: old.path, before: old.before }, to)
    contents.push(to)
  }
  return { inodes, contents }
}

async function carryOut(journal: Journal, steps: readonly Step[], options: ApplyOptions): Promise<void> {
  let reached = 0
  const known = new KnownEntries()
  const pace = createPace()
  try {
    for (const [index, step] of steps.entries()) {
      reached = index + 1
      options.onStep?.(`${step.do} ${index}`)
      await doStep({ journal, known, index }, step)
      await pace()
    }
    options.onStep?.('sync')
    await syncTouched(journal, steps)
    options.onStep?.('applied')
    await journal.mark('applied', writeAfterImage(journal, steps, known))
  } catch (error) {
    const left = await rollBack(journal, steps, { begun: reached, onStep: options.onStep, known })
    if (left.length === 0) await journal.remove()
    else
      refuseConflicts(
        left.map((path) => ({
          path,
          why: `was changed in the middle and is left as it is; what it was is in ${journal.folder}`,
        })),
      )
    throw error
  }
}

function asCmdopError(error: unknown): unknown {
  const code = codeOf(error)
  if (error instanceof CmdopError || code === undefined) return error
  const failure =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'no_space'
      : code === 'EACCES' || code === 'EPERM'
        ? 'permission'
        : 'server'
  return new CmdopError(
    failure,
    `Nothing was applied: ${error instanceof Error ? error.message : code}. Everything is as it was.`,
    { cause: error },
  )
}
