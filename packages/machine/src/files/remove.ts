import { rmdir, unlink } from 'node:fs/promises'
import { CmdopError, type FileDeleted, type FileDeleteParams, errnoOf } from '@cmdop/protocol'
import { lookAt } from './file-entry.ts'
import { withFileError } from './with-file-error.ts'
import { OpenDirectory } from './open-directory.ts'
import { pathBytes, splitEntryPath } from './request-path.ts'

/** Serves `file.delete`. What is gone already when its turn comes is no error. */
export async function deletePath(params: FileDeleteParams, signal: AbortSignal): Promise<FileDeleted> {
  const path = pathBytes(params.path)
  await refuseRoot(path)
  return withFileError(path, async () => {
    const found = await lookAt(path)
    if (found === undefined) {
      if (params.missingOk) return { removed: 0 }
      throw new CmdopError('not_found', `There is no ${path.toString()} on the machine.`)
    }
    if (found.isDirectory() && !params.recursive) {
      await rmdir(path)
      return { removed: 1 }
    }
    return { removed: await removeAll(path, signal) }
  })
}

/**
 * Removes what is at a path with everything in it, following no link; resolves with how many entries that were. Stops
 * when the signal aborts, with what is removed by then.
 */
export async function removeAll(path: Buffer, signal?: AbortSignal): Promise<number> {
  signal?.throwIfAborted()
  const found = await lookAt(path)
  if (found === undefined) return 0
  if (!found.isDirectory()) return ignoreMissing(unlink(path))
  let removed = 0
  {
    await using directory = await OpenDirectory.open(path)
    for (const name of await directory.names()) removed += await removeAll(directory.at(name), signal)
  }
  return removed + (await ignoreMissing(rmdir(path)))
}

async function ignoreMissing(removal: Promise<void>): Promise<number> {
  try {
    await removal
    return 1
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0
    throw error
  }
}

/** By what it is, not by how it is written: `/..` is the root too. */
async function refuseRoot(path: Buffer): Promise<void> {
  const [found, root] = await Promise.all([lookAt(path).catch(() => undefined), lookAt(Buffer.from('/'))])
  if (found !== undefined && found.dev === root?.dev && found.ino === root.ino)
    throw new CmdopError('validation', 'The root directory is not deleted.')
  splitEntryPath(path)
}
