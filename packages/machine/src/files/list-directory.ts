import { readdir } from 'node:fs/promises'
import { CmdopError, type FileEntry, type FileListing, type FileListParams } from '@cmdop/protocol'
import { readEntry } from './file-entry.ts'
import { withFileError } from './with-file-error.ts'
import { childPath } from './path-bytes.ts'
import { pathBytes } from './request-path.ts'

/** One page of a directory, in byte order of the names. Throws `not_found`, `permission` or `validation`. */
export async function listDirectory(params: FileListParams): Promise<FileListing> {
  const after = params.cursor === undefined ? undefined : parseCursor(params.cursor)
  const path = pathBytes(params.path)
  const names = await withFileError(path, () => readdir(path, { encoding: 'buffer' }))
  names.sort((left, right) => Buffer.compare(left, right))
  const rest = after === undefined ? names : names.filter((name) => Buffer.compare(name, after) > 0)
  const page = rest.slice(0, params.limit)
  const entries = await Promise.all(page.map((name) => tryEntry(path, name)))
  const last = page.at(-1)
  return {
    // What vanished between the two looks is left out.
    entries: entries.filter((entry) => entry !== undefined),
    ...(rest.length > page.length && last !== undefined ? { nextCursor: last.toString('base64url') } : {}),
  }
}

async function tryEntry(folder: Buffer, name: Buffer): Promise<FileEntry | undefined> {
  try {
    return await readEntry(childPath(folder, name), { name })
  } catch {
    return undefined
  }
}

function parseCursor(cursor: string): Buffer {
  const name = Buffer.from(cursor, 'base64url')
  if (name.length > 0 && name.toString('base64url') === cursor) return name
  throw new CmdopError('validation', 'Expected cursor to be the nextCursor of an earlier page.')
}
