import { isCmdopError } from '@cmdop/protocol'
import { keyOf, parentOf } from '../disk/path-bytes.ts'
import { codeOf } from '../disk/system-error.ts'
import { slotKey } from './build-steps.ts'
import type { Journal } from './journal.ts'
import type { Step } from './step.ts'
import { MANY, someAtOnce, syncFile, syncFilesystem } from './sync-files.ts'

/** Waits until all that steps wrote, or took back, is on the disk: contents, and directories in which names came or went. */
export async function syncTouched(journal: Journal, steps: readonly Step[]): Promise<void> {
  for (const [layer] of journal.disks.entries()) {
    const places = touchedPlaces(steps, layer)
    if (places.length > MANY) await syncFilesystem(journal.disk(layer).at(Buffer.alloc(0)))
    else await someAtOnce(places, (path) => syncPlace(journal, layer, path))
  }
}

function touchedPlaces(steps: readonly Step[], layer: number): Buffer[] {
  const places = new Map<string, Buffer>()
  for (const step of steps) {
    if (step.layer !== layer || step.do === 'attributes' || step.do === 'times') continue
    const path = step.do === 'write' ? step.path : parentOf(step.path)
    places.set(slotKey(layer, keyOf(path)), path)
  }
  return [...places.values()]
}

async function syncPlace(journal: Journal, layer: number, path: Buffer): Promise<void> {
  try {
    await syncFile(journal.disk(layer).at(path))
  } catch (error) {
    // Deleted or replaced by this very effect, by a pipe perhaps, or not readable for its owner.
    const code = codeOf(error)
    if (!['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EINVAL'].includes(code ?? '') && !isCmdopError(error))
      throw error
  }
}
