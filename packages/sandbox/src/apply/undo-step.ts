import { closeSync, constants, fstatSync, lstatSync, openSync, renameSync } from 'node:fs'
import { isCmdopError } from '@cmdop/protocol'
import { chmodEntry, writeAttributes, writeMtime, writeOwnMtime } from '../disk/attributes.ts'
import { writeContent } from '../disk/copy-content.ts'
import { type EntryState, readState } from '../disk/entry-state.ts'
import { renameNew } from '../disk/rename.ts'
import { codeOf } from '../disk/system-error.ts'
import { asideOf, changePlaces, openForWriting, renameDirectory } from './do-step.ts'
import type { Journal } from './journal.ts'
import { type KnownEntries, keyOfEntry, marksOf } from './known-entries.ts'
import type { Step } from './step.ts'
import { listDirectory, withParent } from './with-parent.ts'

/**
 * Takes one step back, whether it was done, half done or not begun; doing it twice does no harm. An entry that is neither what it was
 * nor what the step made is somebody else's and is left alone; `isTakenBack` tells.
 */
export async function undoStep(journal: Journal, step: Step, known?: KnownEntries): Promise<void> {
  try {
    await undo({ journal, known }, step)
  } catch (error) {
    // A directory on the way is gone, not there yet, or something else by now.
    const code = codeOf(error)
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EEXIST' && !isCmdopError(error)) throw error
  }
}

/** Whether the disk has, after all steps were taken back, what the step took away, and nothing of what it made. */
export function isTakenBack(journal: Journal, step: Step): boolean {
  const present = inodeOf(journal, step)
  if (step.do === 'take') return present === step.before.ino
  if (step.do === 'put' || step.do === 'link')
    return step.replaces ? present === step.replaces.ino : present !== step.ino
  return step.do === 'times' || !journal.isLeft(keyOfEntry(step.layer, step.ino))
}

function inodeOf(journal: Journal, { layer, path }: Step): bigint | undefined {
  try {
    return inodeAt(journal.disk(layer).at(path))
  } catch {
    return undefined
  }
}

interface UndoPlace {
  readonly journal: Journal
  readonly known: KnownEntries | undefined
}

async function undo(place: UndoPlace, step: Step): Promise<void> {
  const { journal } = place
  const disk = journal.disk(step.layer)
  const at = disk.at(step.path)
  switch (step.do) {
    case 'take':
      return withParent(disk, step.path, () => untake(journal, step))
    case 'put':
    case 'link':
      return withParent(disk, step.path, () => unput(journal, step))
    case 'write':
      return unwrite(place, step)
    case 'attributes':
      return restoreAttributes(place, step)
    case 'times':
      if (step.before === undefined || inodeAt(at) !== step.ino) return
      if (step.mode !== undefined) restoreMode(at, step.mode)
      writeOwnMtime(at, step.before)
  }
}

type StepOf<Do extends Step['do']> = Extract<Step, { do: Do }>

function untake(journal: Journal, { layer, path, slot, before }: StepOf<'take'>): void {
  const disk = journal.disk(layer)
  const from = journal.slot(layer, slot)
  const at = disk.at(path)
  const present = inodeAt(at)
  // Perhaps made writable, and not taken.
  if (present === before.ino && before.type === 'directory') restoreMode(at, before.mode)
  if (present !== undefined || inodeAt(from) !== before.ino) return
  if (before.type !== 'directory') return renameNew(from, at)
  renameDirectory(from, at)
  restoreMode(at, before.mode)
  disk.forget()
}

function unput(journal: Journal, { layer, path, slot, ino, replaces }: StepOf<'put'> | StepOf<'link'>): void {
  const disk = journal.disk(layer)
  const from = journal.slot(layer, slot)
  const at = disk.at(path)
  const present = readState(at, { xattrs: false })
  if (!replaces) {
    if (present?.ino !== ino) return
    if (present.type !== 'directory') return renameSync(at, from)
    if (listDirectory(disk, path).length > 0) return
    renameDirectory(disk.at(path), from)
    return disk.forget()
  }
  const old = [from, asideOf(from)].find((each) => inodeAt(each) === replaces.ino)
  // Not done, or taken back already.
  if (!old) return
  if (!present) renameSync(old, at)
  else if (present.ino === ino && old === from) changePlaces(from, at)
  else if (present.ino === ino) backFromAside(from, at)
}

function backFromAside(slot: Buffer, at: Buffer): void {
  renameSync(at, slot)
  renameSync(asideOf(slot), at)
}

async function restoreAttributes(place: UndoPlace, { layer, path, ino, before }: StepOf<'attributes'>): Promise<void> {
  const at = place.journal.disk(layer).at(path)
  const present = readState(at)
  if (present?.ino !== ino || !before) return
  if (before.type === 'directory') return writeAttributes(at, before, present)
  if (!(await mayTakeBack(place, layer, present))) return
  place.known?.writing(layer, ino)
  writeAttributes(at, before, present)
  writeMtime(at, before.mtimeNs)
  const done = readState(at, { xattrs: false })
  if (done) place.known?.written(layer, { ...done, size: present.size })
}

/** Whether own steps wrote to an entry, and nobody else since. What others wrote to is theirs from then on. */
async function mayTakeBack({ journal, known }: UndoPlace, layer: number, present: EntryState): Promise<boolean> {
  const entry = keyOfEntry(layer, present.ino)
  const own = journal.isLeft(entry) ? 'no' : (known?.isOwn(layer, present) ?? 'yes')
  if (own === 'changed') await journal.leave(entry)
  return own === 'yes'
}

async function unwrite(place: UndoPlace, { layer, path, slot, ino, before }: StepOf<'write'>): Promise<void> {
  const { journal, known } = place
  const at = journal.disk(layer).at(path)
  const marks = readState(at, { xattrs: false })
  if (marks?.ino !== ino || !(await mayTakeBack(place, layer, marks))) return
  const source = openSync(journal.slot(layer, slot), constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const target = openForWriting(at, ino)
    try {
      known?.writing(layer, ino)
      await writeContent(source, target)
      const present = readState(at)
      if (present?.ino === ino && fstatSync(target).nlink > 0) {
        writeAttributes(at, before, present)
        writeMtime(at, before.mtimeNs)
      }
      known?.written(layer, marksOf(target))
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

function restoreMode(path: Buffer, mode: number): void {
  if ((lstatSync(path).mode & 0o7777) !== mode) chmodEntry(path, mode)
}

function inodeAt(path: Buffer): bigint | undefined {
  return readState(path, { xattrs: false })?.ino
}
