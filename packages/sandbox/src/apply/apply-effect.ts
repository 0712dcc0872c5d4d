import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { readState } from '../disk/entry-state.ts'
import { keyOf, parentOf } from '../disk/path-bytes.ts'
import { codeOf } from '../disk/system-error.ts'
import { type ComputedChanges, computeChanges } from '../effects/compute-effects.ts'
import type { View } from '../view.ts'
import { writeAfterImage } from './after-image.ts'
import { buildSteps, isWritten, preImageSlot, slotKey } from './build-steps.ts'
import { findConflicts, refuseConflicts } from './conflicts.ts'
import { doStep } from './do-step.ts'
import { Journal, syncDirectory } from './journal.ts'
import { rollBack } from './roll-back.ts'
import { copyPreImage, finishStaged, stageEntry, syncFiles } from './stage.ts'
import type { Step } from './step.ts'
import { type Treatment, decideTreatments } from './treatments.ts'

/** Options of `applyEffect`. */
export interface ApplyOptions {
  /** Folder of all journals of the daemon, mode 0700; each applied effect has one of its own name in it. */
  readonly journals: string
  readonly signal?: AbortSignal
  /** Called before each write to the disk. Tests end the process there. */
  readonly onStep?: (step: string) => void
}

/**
 * Makes the real disk what a frozen view shows, if its effect is still the one with this hash: nothing else is ever applied.
 * Every path is compared with the disk first; `effect_conflict` names what was changed meanwhile, and nothing was applied. When a
 * step fails, all before it are taken back. The old versions are kept in the journal for `undoEffect`.
 */
export async function applyEffect(view: View, hash: string, options: ApplyOptions): Promise<{ readonly applied: number }> {
  const startedNs = statSync(view.marker, { bigint: true }).ctimeNs
  const computed = await computeChanges(view, options.signal)
  refuseConflicts(findConflicts(computed, view, startedNs))
  if (computed.hash !== hash)
    throw new CmdopError('effect_conflict', 'Nothing was applied: the effect is not the one that was shown. Look at it again.', {
      details: { paths: [], hash: computed.hash },
    })
  mkdirSync(options.journals, { recursive: true, mode: 0o700 })
  const journal = Journal.create(join(options.journals, view.id), view, hash)
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

interface Work {
  readonly journal: Journal
  readonly view: View
  readonly computed: ComputedChanges
  readonly startedNs: bigint
  readonly options: ApplyOptions
}

/** Stages new entries, copies what will be written over, and writes the plan. The disk is as it was. */
async function prepare({ journal, view, computed, startedNs, options }: Work): Promise<Step[]> {
  try {
    const treatments = decideTreatments(computed, view.layers)
    const inodes = await stageAll({ journal, view, options }, treatments)
    const directory = (layer: number, path: Buffer) => readState(journal.disk(layer).at(path))
    const steps = buildSteps(treatments, { inodes, directory, startedNs })
    options.onStep?.('plan')
    journal.writePlan(steps)
    return steps
  } catch (error) {
    journal.remove()
    throw error
  }
}

async function stageAll(work: Pick<Work, 'journal' | 'view' | 'options'>, treatments: readonly Treatment[]): Promise<Map<string, bigint>> {
  const { journal, view, options } = work
  const inodes = new Map<string, bigint>()
  const contents: Buffer[] = []
  for (const treatment of treatments) {
    const { change, layer, how, slot } = treatment
    options.signal?.throwIfAborted()
    if (how === 'stage') {
      options.onStep?.(`stage ${slot}`)
      const to = journal.slot(layer, slot)
      inodes.set(slotKey(layer, slot), await stageEntry(change, to, view))
      if (change.after?.type === 'file') contents.push(to)
    }
    if (!isWritten(treatment)) continue
    options.onStep?.(`copy ${slot}`)
    const to = journal.slot(layer, preImageSlot(treatment))
    await copyPreImage(journal.disk(layer).at((how === 'move' ? change.movedFrom : change)?.path ?? change.path), to)
    contents.push(to)
  }
  await syncFiles(contents)
  for (const { change, layer, how, slot } of treatments) if (how === 'stage') finishStaged(change, journal.slot(layer, slot))
  for (const { stash } of journal.head.layers) syncDirectory(stash)
  return inodes
}

async function carryOut(journal: Journal, steps: readonly Step[], options: ApplyOptions): Promise<void> {
  let reached = 0
  try {
    for (const [index, step] of steps.entries()) {
      reached = index + 1
      options.onStep?.(`${step.do} ${index}`)
      await doStep(journal, step, index)
    }
    options.onStep?.('sync')
    syncTouched(journal, steps)
    options.onStep?.('applied')
    journal.mark('applied', writeAfterImage(journal, steps))
  } catch (error) {
    const left = await rollBack(journal, steps.slice(0, reached), options.onStep)
    if (left.length === 0) journal.remove()
    throw error
  }
}

/** Every directory in which a name came or went is on the disk. */
function syncTouched(journal: Journal, steps: readonly Step[]): void {
  const directories = new Map<string, { layer: number; path: Buffer }>()
  for (const { do: what, layer, path } of steps) {
    if (what !== 'take' && what !== 'put' && what !== 'link') continue
    const parent = parentOf(path)
    directories.set(slotKey(layer, keyOf(parent)), { layer, path: parent })
  }
  for (const { layer, path } of directories.values()) {
    try {
      syncDirectory(journal.disk(layer).at(path))
    } catch (error) {
      // Deleted by this very effect, or not readable for its owner.
      const code = codeOf(error)
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ENOTDIR' && !(error instanceof CmdopError)) throw error
    }
  }
}

function asCmdopError(error: unknown): unknown {
  const code = codeOf(error)
  if (error instanceof CmdopError || code === undefined) return error
  const failure = code === 'ENOSPC' || code === 'EDQUOT' ? 'no_space' : code === 'EACCES' || code === 'EPERM' ? 'permission' : 'server'
  return new CmdopError(failure, `Nothing was applied: ${error instanceof Error ? error.message : code}. Everything is as it was.`, { cause: error })
}
