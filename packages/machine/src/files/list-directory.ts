import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { CmdopError, type FileListing, type FileListParams } from '@cmdop/protocol'
import { fileError } from './read-file.ts'

type Entry = FileListing['entries'][number]

/** One page of a directory, in byte order of the names. Throws `not_found`, `permission` or `validation`. */
export async function listDirectory(params: FileListParams): Promise<FileListing> {
  const after = params.cursor === undefined ? undefined : parseCursor(params.cursor)
  const names = await readNames(params.path)
  const rest = after === undefined ? names : names.filter((name) => Buffer.compare(name, after) > 0)
  const page = rest.slice(0, params.limit)
  const entries = await Promise.all(page.map((name) => entryOf(params.path, name)))
  const last = page.at(-1)
  return {
    // What vanished between the two looks is left out.
    entries: entries.filter((entry) => entry !== undefined),
    ...(rest.length > page.length && last !== undefined ? { nextCursor: last.toString('base64url') } : {}),
  }
}

async function readNames(path: string): Promise<Buffer[]> {
  try {
    const names = await readdir(path, { encoding: 'buffer' })
    return names.sort((left, right) => Buffer.compare(left, right))
  } catch (cause) {
    throw fileError(cause, path)
  }
}

async function entryOf(folder: string, name: Buffer): Promise<Entry | undefined> {
  try {
    const stat = await lstat(Buffer.concat([Buffer.from(`${folder}/`), name]))
    return {
      name: name.toString(),
      type: typeOf(stat),
      size: stat.size,
      mode: stat.mode & 0o7777,
      modifiedAt: stat.mtime.toISOString(),
    }
  } catch {
    return undefined
  }
}

function typeOf(stat: Stats): Entry['type'] {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  return stat.isSymbolicLink() ? 'symlink' : 'other'
}

function parseCursor(cursor: string): Buffer {
  const name = Buffer.from(cursor, 'base64url')
  if (name.length > 0 && name.toString('base64url') === cursor) return name
  throw new CmdopError('validation', 'Expected cursor to be the nextCursor of an earlier page.')
}
