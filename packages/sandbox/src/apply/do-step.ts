import { closeSync, constants, fstatSync, linkSync, lstatSync, openSync, readdirSync, renameSync } from 'node:fs'
import { chmodEntry, writeAttributes, writeMtime, writeOwnMtime } from '../disk/attributes.ts'
import { writeContent } from '../disk/copy-content.ts'
import { readState } from '../disk/entry-state.ts'
import { conflictAt } from '../disk/real-disk.ts'
import { exchange, renameNew } from '../disk/rename.ts'
import { codeOf } from '../disk/system-error.ts'
import { openContent } from '../effects/content.ts'
import type { Journal } from './journal.ts'
import { type KnownEntries, marksOf } from './known-entries.ts'
import type { Step, StepState } from './step.ts'
import { withParent } from './with-parent.ts'

/** Where a step is done: its number in the plan, and what the steps before it left. */
interface StepPlace {
  readonly journal: Journal
  readonly known: KnownEntries
  readonly index: number
}

/** Does one step of an apply. Throws `effect_conflict` when the entry is not the one that the plan knows. */
export async function doStep(place: StepPlace, step: Step): Promise<void> {
  const { journal } = place
  switch (step.do) {
    case 'take':
      return withParent(journal.disk(step.layer), step.path, () => take(place, step))
    case 'put':
      return withParent(journal.disk(step.layer), step.path, () => put(place, step))
    case 'link':
      linkSync(journal.disk(step.anchor.layer).at(step.anchor.path), journal.slot(step.layer, step.slot))
      return withParent(journal.disk(step.layer), step.path, () => put(place, step))
    case 'write':
      return write(place, step)
    case 'attributes':
      return attributes(place, step)
    case 'times':
      if (step.after !== undefined) writeOwnMtime(sameEntry(journal, step), step.after)
  }
}

const WRITTEN = 'was changed meanwhile'

type StepOf<Do extends Step['do']> = Extract<Step, { do: Do }>

function take({ journal, known }: StepPlace, { layer, path, slot, before }: StepOf<'take'>): void {
  const disk = journal.disk(layer)
  const at = disk.at(path)
  expectSame(disk.full(path), at, before)
  const to = journal.slot(layer, slot)
  known.renamed(layer, before.ino)
  if (before.type !== 'directory') return renameNew(at, to)
  renameDirectory(at, to)
  disk.forget()
  if (readdirSync(to, { encoding: 'buffer' }).length === 0) return
  // Somebody put an entry in it after it was looked at.
  renameNew(to, disk.at(path))
  throw conflictAt(disk.full(path), 'has entries that were not shown')
}

function put({ journal, known }: StepPlace, step: StepOf<'put'> | StepOf<'link'>): void {
  const { layer, path, slot, ino, replaces } = step
  const disk = journal.disk(layer)
  const from = journal.slot(layer, slot)
  const at = disk.at(path)
  known.renamed(layer, ino)
  if (replaces) {
    expectSame(disk.full(path), at, replaces)
    known.renamed(layer, replaces.ino)
    return changePlaces(from, at)
  }
  try {
    renameNew(from, at)
  } catch (error) {
    throw codeOf(error) === 'EEXIST' ? conflictAt(disk.full(path), 'exists now') : error
  }
}

async function write({ journal, known, index }: StepPlace, step: StepOf<'write'>): Promise<void> {
  const { layer, ino, before } = step
  const path = sameEntry(journal, step)
  const full = journal.disk(layer).full(step.path)
  const marks = readState(path, { xattrs: false })
  if (!marks || !known.isSame(layer, marks, before)) throw conflictAt(full, WRITTEN)
  const source = openContent(step.from)
  try {
    const target = openForWriting(path, ino)
    try {
      // Opening a file that nobody may write to moves its change time.
      if (!known.isSame(layer, { ...marksOf(target), ctimeNs: marks.ctimeNs }, before)) throw conflictAt(full, WRITTEN)
      known.writing(layer, ino)
      journal.noteWrite(index)
      await writeContent(source, target)
      known.written(layer, marksOf(target))
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

function attributes({ journal, known }: StepPlace, step: StepOf<'attributes'>): void {
  const { layer, before, after } = step
  const path = sameEntry(journal, step)
  const present = readState(path)
  if (!present) throw conflictAt(journal.disk(layer).full(step.path), WRITTEN)
  // What a directory is changes with every entry that comes or goes, also those of others.
  if (after.type === 'directory') return writeAttributes(path, after, present)
  if (before && !known.isSame(layer, present, before)) throw conflictAt(journal.disk(layer).full(step.path), WRITTEN)
  known.writing(layer, step.ino)
  writeAttributes(path, after, present)
  writeMtime(path, after.mtimeNs)
  const done = readState(path, { xattrs: false })
  // The size as it was: had others written to it just now, it would be another.
  if (done) known.written(layer, { ...done, size: present.size })
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

function sameEntry(journal: Journal, { layer, path, ino }: { layer: number; path: Buffer; ino: bigint }): Buffer {
  const disk = journal.disk(layer)
  const at = disk.at(path)
  if (readState(at, { xattrs: false })?.ino !== ino) throw conflictAt(disk.full(path), 'is another entry now')
  return at
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
  if (!unchanged) throw conflictAt(full, WRITTEN)
}
