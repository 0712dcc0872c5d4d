import { closeSync, constants, fstatSync, fsyncSync, lstatSync, openSync, readdirSync, renameSync } from 'node:fs'
import { chmodEntry, writeAttributes, writeMtime } from '../disk/attributes.ts'
import { writeContent } from '../disk/copy-content.ts'
import { readState } from '../disk/entry-state.ts'
import { renameNew } from '../disk/rename.ts'
import { codeOf } from '../disk/system-error.ts'
import { asideOf, changePlaces, openForWriting, renameDirectory } from './do-step.ts'
import type { Journal } from './journal.ts'
import type { Step } from './step.ts'
import { withParent } from './with-parent.ts'

/**
 * Takes one step back, whether it was done, half done or not begun; doing it twice does no harm. False when the entry is neither what it
 * was nor what the step made: somebody changed it, and it is left alone.
 */
export async function undoStep(journal: Journal, step: Step): Promise<boolean> {
  try {
    return await undo(journal, step)
  } catch (error) {
    // A directory on the way is gone, or is a link now.
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EEXIST' || code === undefined) return isUntouched(journal, step)
    throw error
  }
}

async function undo(journal: Journal, step: Step): Promise<boolean> {
  const disk = journal.disk(step.layer)
  const at = disk.at(step.path)
  switch (step.do) {
    case 'take':
      return withParent(disk, step.path, () => untake(journal, step))
    case 'put':
    case 'link':
      return withParent(disk, step.path, () => unput(journal, step))
    case 'write':
      return unwrite(journal, step)
    case 'attributes': {
      const present = readState(at)
      if (present?.ino !== step.ino || !step.before) return true
      writeAttributes(at, step.before, present)
      if (step.before.type !== 'directory') writeMtime(at, step.before.mtimeNs)
      return true
    }
    case 'times':
      if (step.before === undefined || inodeAt(at) !== step.ino) return true
      if (step.mode !== undefined) restoreMode(at, step.mode)
      writeMtime(at, step.before)
      return true
  }
}

type StepOf<Do extends Step['do']> = Extract<Step, { do: Do }>

function untake(journal: Journal, { layer, path, slot, before }: StepOf<'take'>): boolean {
  const disk = journal.disk(layer)
  const from = journal.slot(layer, slot)
  const at = disk.at(path)
  const present = inodeAt(at)
  if (present === before.ino) {
    // Perhaps made writable, and not taken.
    if (before.type === 'directory') restoreMode(at, before.mode)
    return true
  }
  if (inodeAt(from) !== before.ino || present !== undefined) return false
  if (before.type === 'directory') {
    renameDirectory(from, at)
    restoreMode(at, before.mode)
    disk.forget()
  } else renameNew(from, at)
  return true
}

function unput(journal: Journal, { layer, path, slot, ino, replaces }: StepOf<'put'> | StepOf<'link'>): boolean {
  const disk = journal.disk(layer)
  const from = journal.slot(layer, slot)
  const at = disk.at(path)
  const present = readState(at, { xattrs: false })
  if (present?.ino === ino) {
    if (replaces && inodeAt(from) === replaces.ino) changePlaces(from, at)
    else if (replaces && inodeAt(asideOf(from)) === replaces.ino) backFromAside(from, at)
    else if (replaces) return false
    else if (present.type !== 'directory') renameSync(at, from)
    else if (readdirSync(at, { encoding: 'buffer' }).length > 0) return false
    else renameDirectory(at, from)
    disk.forget()
    return true
  }
  if (!present && replaces && inodeAt(asideOf(from)) === replaces.ino) renameSync(asideOf(from), at)
  return inodeAt(at) === replaces?.ino
}

function backFromAside(slot: Buffer, at: Buffer): void {
  renameSync(at, slot)
  renameSync(asideOf(slot), at)
}

async function unwrite(journal: Journal, { layer, path, slot, ino, before }: StepOf<'write'>): Promise<boolean> {
  const at = journal.disk(layer).at(path)
  if (inodeAt(at) !== ino) return false
  const source = openSync(journal.slot(layer, slot), constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const target = openForWriting(at, ino)
    try {
      await writeContent(source, target)
      fsyncSync(target)
      const present = readState(at)
      if (present?.ino === ino && fstatSync(target).nlink > 0) {
        writeAttributes(at, before, present)
        writeMtime(at, before.mtimeNs)
      }
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
  return true
}

/** What the step would have taken away is still, or again, in its place. */
function isUntouched(journal: Journal, step: Step): boolean {
  try {
    const present = inodeAt(journal.disk(step.layer).at(step.path))
    if (step.do === 'take') return present === step.before.ino
    if (step.do === 'put' || step.do === 'link') return present === step.replaces?.ino
    return step.do !== 'write'
  } catch {
    return step.do !== 'take' && step.do !== 'write'
  }
}

function restoreMode(path: Buffer, mode: number): void {
  if ((lstatSync(path).mode & 0o7777) !== mode) chmodEntry(path, mode)
}

function inodeAt(path: Buffer): bigint | undefined {
  return readState(path, { xattrs: false })?.ino
}
