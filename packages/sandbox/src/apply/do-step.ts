import { closeSync, constants, fstatSync, linkSync, lstatSync, openSync, readdirSync, renameSync } from 'node:fs'
import { chmodEntry, writeAttributes, writeMtime, writeOwnMtime } from '../disk/attributes.ts'
import { writeContent } from '../disk/copy-content.ts'
import { type EntryState, readState } from '../disk/entry-state.ts'
import { conflictAt } from '../disk/real-disk.ts'
import { exchange, renameNew } from '../disk/rename.ts'
import { codeOf } from '../disk/system-error.ts'
import { openContent } from '../effects/content.ts'
import type { Journal } from './journal.ts'
import type { Step, StepState } from './step.ts'
import { withParent } from './with-parent.ts'

/** Does one step of an apply. Throws `effect_conflict` when the entry is not the one that the plan knows. */
export async function doStep(journal: Journal, step: Step, index: number): Promise<void> {
  switch (step.do) {
    case 'take':
      return withParent(journal.disk(step.layer), step.path, () => take(journal, step))
    case 'put':
      return withParent(journal.disk(step.layer), step.path, () => put(journal, step))
    case 'link':
      linkSync(journal.disk(step.anchor.layer).at(step.anchor.path), journal.slot(step.layer, step.slot))
      return withParent(journal.disk(step.layer), step.path, () => put(journal, step))
    case 'write':
      return write(journal, step, index)
    case 'attributes': {
      const { path, present } = sameEntry(journal, step)
      writeAttributes(path, step.after, present)
      if (step.after.type !== 'directory') writeMtime(path, step.after.mtimeNs)
      return
    }
    case 'times':
      if (step.after !== undefined) writeOwnMtime(sameEntry(journal, step).path, step.after)
  }
}

type StepOf<Do extends Step['do']> = Extract<Step, { do: Do }>

function take(journal: Journal, { layer, path, slot, before }: StepOf<'take'>): void {
  const disk = journal.disk(layer)
  const at = disk.at(path)
  expectSame(disk.full(path), at, before)
  const to = journal.slot(layer, slot)
  if (before.type !== 'directory') return renameNew(at, to)
  renameDirectory(at, to)
  disk.forget()
  if (readdirSync(to, { encoding: 'buffer' }).length === 0) return
  // Somebody put an entry in it after it was looked at.
  renameNew(to, disk.at(path))
  throw conflictAt(disk.full(path), 'has entries that were not shown')
}

function put(journal: Journal, { layer, path, slot, replaces }: StepOf<'put'> | StepOf<'link'>): void {
  const disk = journal.disk(layer)
  const from = journal.slot(layer, slot)
  const at = disk.at(path)
  if (replaces) {
    expectSame(disk.full(path), at, replaces)
    return changePlaces(from, at)
  }
  try {
    renameNew(from, at)
  } catch (error) {
    throw codeOf(error) === 'EEXIST' ? conflictAt(disk.full(path), 'exists now') : error
  }
}

async function write(journal: Journal, step: StepOf<'write'>, index: number): Promise<void> {
  const { path } = sameEntry(journal, step)
  const source = openContent({ where: 'upper', path: step.from })
  try {
    const target = openForWriting(path, step.ino)
    try {
      journal.noteWrite(index)
      await writeContent(source, target)
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

/** Opens a regular file of a known inode for reading and writing; its owner may do so whatever its mode says. */
export function openForWriting(path: Buffer, ino: bigint): number {
  const descriptor = openWritable(path)
  if (fstatSync(descriptor, { bigint: true }).ino === ino) return descriptor
  closeSync(descriptor)
  throw conflictAt(path, 'is another file now')
}

function openWritable(path: Buffer): number {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK
  try {
    return openSync(path, flags)
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    const { mode } = lstatSync(path)
    chmodEntry(path, (mode & 0o7777) | 0o600)
    try {
      return openSync(path, flags)
    } finally {
      chmodEntry(path, mode & 0o7777)
    }
  }
}

/** Puts two entries in each other's place: at once where the filesystem can, else with a moment of neither. */
export function changePlaces(slot: Buffer, at: Buffer): void {
  if (exchange(slot, at)) return
  const aside = asideOf(slot)
  renameSync(at, aside)
  renameSync(slot, at)
  renameSync(aside, slot)
}

/** Where an entry is for a moment while two change places in three steps. */
export function asideOf(slot: Buffer): Buffer {
  return Buffer.concat([slot, Buffer.from('.aside')])
}

/** rename(2) of a directory to another parent needs the right to write to it: its `..` changes. */
export function renameDirectory(from: Buffer, to: Buffer): void {
  try {
    renameNew(from, to)
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    chmodEntry(from, (lstatSync(from).mode & 0o7777) | 0o700)
    renameNew(from, to)
  }
}

function sameEntry(
  journal: Journal,
  { layer, path, ino }: { layer: number; path: Buffer; ino: bigint },
): { path: Buffer; present: EntryState } {
  const disk = journal.disk(layer)
  const at = disk.at(path)
  const present = readState(at)
  if (present?.ino !== ino) throw conflictAt(disk.full(path), 'is another entry now')
  return { path: at, present }
}

/**
 * A directory's own change time moves with its entries, and that of a file with several names with each of them; the steps before this
 * one moved those too.
 */
function expectSame(full: Buffer, at: Buffer, before: StepState): void {
  const present = readState(at, { xattrs: false })
  const same = present?.ino === before.ino && present.type === before.type && present.size === before.size
  if (same && before.type === 'directory') return
  const unchanged =
    same && present.mtimeNs === before.mtimeNs && (before.nlink > 1 || present.ctimeNs === before.ctimeNs)
  if (!unchanged) throw conflictAt(full, 'was changed meanwhile')
}
