import { unlink } from 'node:fs/promises'
import { type FileEntry, type FileTransferParams, errnoOf } from '@cmdop/protocol'
import { type CopyContext, copyEntry, lookAtSource, refuseIntoItself } from './copy.ts'
import { lookAt, readEntry } from './file-entry.ts'
import { withFileError } from './with-file-error.ts'
import { pathBytes, splitEntryPath } from './request-path.ts'
import { putInPlace } from './place.ts'
import { removeAll } from './remove.ts'

/** Serves `file.move`: at once on one file system; onto another one as a copy with owner and times, then a deletion. */
export async function movePath(params: FileTransferParams, context: CopyContext): Promise<FileEntry> {
  const [from, to] = [pathBytes(params.from), pathBytes(params.to)]
  const source = await lookAtSource(from, params)
  await refuseIntoItself(from, to)
  return withFileError(to, async () => {
    const found = await lookAt(to)
    // The system does nothing at all with two names of one file.
    if (
      params.overwrite &&
      !source.isDirectory() &&
      Number(found?.ino) === source.ino &&
      Number(found?.dev) === source.dev
    )
      await unlink(from)
    else await moveEntry(from, to, { ...params, ...context })
    return readEntry(to)
  })
}

async function moveEntry(from: Buffer, to: Buffer, options: { overwrite: boolean } & CopyContext): Promise<void> {
  try {
    await putInPlace(from, to, options)
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error
    await moveAcross(from, to, options)
  }
}

async function moveAcross(from: Buffer, to: Buffer, options: { overwrite: boolean } & CopyContext): Promise<void> {
  const beside = await options.temporary.claim(splitEntryPath(to).folder)
  try {
    await copyEntry(from, beside, { ...options, overwrite: false, preserve: true })
    await putInPlace(beside, to, options)
  } finally {
    await options.temporary.discard(beside)
  }
  await removeAll(from)
}
