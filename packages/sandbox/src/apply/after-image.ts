import type { CmdopError } from '@cmdop/protocol'
import { readState } from '../disk/entry-state.ts'
import { codeOf } from '../disk/system-error.ts'
import type { Conflict } from './conflicts.ts'
import { slotKey } from './build-steps.ts'
import type { Journal } from './journal.ts'
import { KnownEntries } from './known-entries.ts'
import type { Step } from './step.ts'
import { listDirectory, withParent } from './with-parent.ts'
import { joinBytes, keyOf } from '../disk/path-bytes.ts'

/** One path as an apply left it: layer, path (base64), then inode, change time and size, or nothing where nothing is. */
type Line = [layer: number, path: string, ino?: string, ctimeNs?: string, size?: number]

/** What every path of an apply is after it, one JSON line each, for the conflict check of an undo: as its steps left it. */
export function writeAfterImage(journal: Journal, steps: readonly Step[], known: KnownEntries): string {
  const lines = new Map<string, Line>()
  for (const { do: what, layer, path } of steps) {
    const key = slotKey(layer, keyOf(path))
    if (what === 'times' || lines.has(key)) continue
    const present = stateAt(journal, layer, path)
    const state = present && { ...present, ...known.find(layer, present.ino) }
    // A directory that only got other attributes changes with every entry in it.
    const ctimeNs = state?.type === 'directory' ? '' : String(state?.ctimeNs)
    lines.set(
      key,
      state
        ? [layer, path.toString('base64'), String(state.ino), ctimeNs, state.size]
        : [layer, path.toString('base64')],
    )
  }
  return [...lines.values()].map((line) => JSON.stringify(line)).join('\n')
}

/** Paths that are not as the apply left them, and entries in its new directories that it did not make. */
export function compareAfterImage(journal: Journal, steps: readonly Step[], image: string): Conflict[] {
  const conflicts: Conflict[] = []
  const known = new Set<string>()
  for (const text of image.split('\n').filter(Boolean)) {
    const [layer, encoded, ino, ctimeNs, size] = JSON.parse(text) as Line
    const path = Buffer.from(encoded, 'base64')
    known.add(slotKey(layer, keyOf(path)))
    const state = stateAt(journal, layer, path)
    const same =
      ino === undefined
        ? state === undefined
        : String(state?.ino) === ino && (ctimeNs === '' || (String(state?.ctimeNs) === ctimeNs && state?.size === size))
    if (!same) conflicts.push({ path: journal.disk(layer).full(path), why: 'was changed since it was applied' })
  }
  for (const { do: what, layer, path } of steps) {
    if (what !== 'put' || stateAt(journal, layer, path)?.type !== 'directory') continue
    for (const name of listDirectory(journal.disk(layer), path)) {
      const entry = joinBytes(path, name)
      if (!known.has(slotKey(layer, keyOf(entry))))
        conflicts.push({ path: journal.disk(layer).full(entry), why: 'is not of this effect, in a directory that is' })
    }
  }
  return conflicts
}

/** What an undo finds on the disk, once it was compared with the image. */
export function knownFromImage(image: string): KnownEntries {
  const known = new KnownEntries()
  for (const text of image.split('\n').filter(Boolean)) {
    const [layer, , ino, ctimeNs, size] = JSON.parse(text) as Line
    if (ino !== undefined && ctimeNs && size !== undefined)
      known.written(layer, { ino: BigInt(ino), ctimeNs: BigInt(ctimeNs), size })
  }
  return known
}

function stateAt(journal: Journal, layer: number, path: Buffer): ReturnType<typeof readState> {
  try {
    return withParent(journal.disk(layer), path, (at) => readState(at, { xattrs: false }))
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || (error as CmdopError).code === 'effect_conflict') return undefined
    throw error
  }
}
