import { createHash, randomUUID } from 'node:crypto'
import { chmod, lstat, mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join, matchesGlob } from 'node:path'
import type {
  FileList,
  FilePart,
  FileSearchResult,
  FileWriteOptions,
  MachineFiles,
  MachinePath,
  FileData,
} from '@cmdop/core'
import { CmdopError, type FileEntry, type FileWritten, type SearchMatch } from '@cmdop/protocol'

/** Files of this machine, as far as an operator uses them. */
export function localFiles(): MachineFiles {
  const unsupported = (): Promise<never> =>
    Promise.reject(new CmdopError('unsupported', 'The test machine does not do this.'))
  return {
    read: (path, options) => read(text(path), options),
    write: (path, data, options) => write(text(path), data, options),
    list: (path, options) => list(text(path), options),
    stat: (path) => entry(text(path), text(path)),
    search: (path, options) => search(text(path), options),
    mkdir: unsupported,
    copy: unsupported,
    move: unsupported,
    delete: unsupported,
  }
}

function text(path: MachinePath): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString()
}

function fileError(error: NodeJS.ErrnoException): never {
  throw new CmdopError('not_found', `The file cannot be read: ${error.message}.`, { cause: error })
}

async function read(
  path: string,
  { offset = 0, length = 65_536 }: { offset?: number; length?: number } = {},
): Promise<FilePart> {
  await using file = await open(path).catch(fileError)
  const { size } = await file.stat()
  const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, offset)
  return { path, offset, size, data: buffer.subarray(0, bytesRead) }
}

async function write(path: string, data: FileData, options: FileWriteOptions = {}): Promise<FileWritten> {
  const { mode, createParents = false, overwrite = true, ifMatch } = options
  if (typeof data !== 'string') throw new CmdopError('unsupported', 'The test machine writes texts.')
  const before = await readFile(path).catch(() => undefined)
  const hash = before === undefined ? null : sha256(before)
  if ((ifMatch !== undefined && ifMatch !== hash) || (!overwrite && before !== undefined)) {
    throw new CmdopError('conflict', 'The file is not what it was.')
  }
  if (createParents) await mkdir(dirname(path), { recursive: true })
  const temporary = join(dirname(path), `.${randomUUID()}`)
  await writeFile(temporary, data).catch(fileError)
  if (mode !== undefined) await chmod(temporary, mode)
  await rename(temporary, path)
  return {
    size: Buffer.byteLength(data),
    sha256: sha256(Buffer.from(data)),
    version: '1',
    replaced: before !== undefined,
  }
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

async function list(
  path: string,
  { limit = 200, cursor }: { limit?: number; cursor?: string } = {},
): Promise<FileList> {
  const names = (await readdir(path).catch(fileError)).sort().filter((name) => cursor === undefined || name > cursor)
  const page = names.slice(0, limit)
  const entries = await Promise.all(page.map((name) => entry(join(path, name), name)))
  const last = page.at(-1)
  return { entries, ...(names.length > limit && last !== undefined ? { nextCursor: last } : {}) }
}

async function entry(path: string, name: string): Promise<FileEntry> {
  const stat = await lstat(path).catch(fileError)
  const type = stat.isSymbolicLink() ? 'symlink' : stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other'
  const { size, uid, gid } = stat
  return {
    name,
    type,
    size,
    mode: stat.mode & 0o7777,
    modifiedAt: stat.mtime.toISOString(),
    uid,
    gid,
    allocatedBytes: size,
    version: '1',
  }
}

async function search(
  root: string,
  { name, content, regex = false, ignoreCase = false, maxMatches = 200 }: Parameters<MachineFiles['search']>[1],
): Promise<FileSearchResult> {
  const paths = (await readdir(root, { recursive: true, withFileTypes: true }).catch(fileError))
    .filter((each) => each.isFile() && (name === undefined || matchesGlob(each.name, name)))
    .map((each) => join(each.parentPath, each.name))
  const pattern =
    content === undefined
      ? undefined
      : new RegExp(regex ? content : content.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), ignoreCase ? 'i' : '')
  const matches: SearchMatch[] = []
  for (const path of paths.sort()) {
    if (pattern === undefined) matches.push({ path, type: 'file' })
    else {
      const lines = (await readFile(path, 'utf8')).split('\n')
      lines.forEach((line, index) => {
        if (pattern.test(line)) matches.push({ path, type: 'file', line: index + 1, text: line.slice(0, 500) })
      })
    }
  }
  return {
    matches: matches.slice(0, maxMatches),
    truncated: matches.length > maxMatches,
    searchedFiles: paths.length,
    skippedFiles: 0,
  }
}
