import { ANSWER_LANE, type Channel, type FileTreeParams, type TreeEnd, type TreeEntry, errnoOf } from '@cmdop/protocol'
import { readEntry } from './file-entry.ts'
import { withFileError } from './with-file-error.ts'
import { OpenDirectory } from './open-directory.ts'
import { childPath, wireText } from './path-bytes.ts'
import { pathBytes } from './request-path.ts'

/** Bytes of lines that are sent at once. */
const BATCH_BYTES = 64 * 1024

/** Unreadable paths that the end names, and characters of each: they fit a trailer, however they are escaped. */
const MAX_UNREADABLE = 20
const MAX_SHOWN = 100

/** Serves `file.tree`, reading no further ahead than what is sent at once. A link at the path itself is followed. */
export async function serveTree(channel: Channel, params: FileTreeParams): Promise<void> {
  const root = pathBytes(params.path)
  const entry = await withFileError(root, () => readEntry(root, { follow: true, name: Buffer.alloc(0) }))
  channel.accept()
  const end: TreeEnd = { entries: 0, unreadable: [] }
  let lines = ''
  const add = async (found: TreeEntry) => {
    end.entries += 1
    lines += `${JSON.stringify(found)}\n`
    if (lines.length < BATCH_BYTES) return
    await channel.send(ANSWER_LANE, Buffer.from(lines))
    lines = ''
  }
  await add({ ...entry, path: '' })
  if (entry.type === 'directory') {
    const walk = new Walk(add, end.unreadable)
    await using directory = await withFileError(root, () => OpenDirectory.open(root, { follow: true }))
    await walk.read(directory, Buffer.alloc(0))
  }
  await channel.send(ANSWER_LANE, Buffer.from(lines))
  await channel.end(end)
}

class Walk {
  readonly #found: (entry: TreeEntry) => Promise<void>
  readonly #unreadable: TreeEnd['unreadable']

  constructor(found: (entry: TreeEntry) => Promise<void>, unreadable: TreeEnd['unreadable']) {
    this.#found = found
    this.#unreadable = unreadable
  }

  async read(directory: OpenDirectory, path: Buffer): Promise<void> {
    const names = await this.#attempt(path, () => directory.names())
    for (const name of names ?? []) {
      const below = childPath(path, name)
      const entry = await this.#attempt(below, () => readEntry(directory.at(name), { name }))
      if (entry === undefined) continue
      await this.#found({ ...entry, ...wireText('path', below) })
      if (entry.type !== 'directory') continue
      const opened = await this.#attempt(below, () => OpenDirectory.open(directory.at(name)))
      if (opened === undefined) continue
      await using inner = opened
      await this.read(inner, below)
    }
  }

  /** What vanished is left out; what cannot be read is named. */
  async #attempt<Value>(path: Buffer, read: () => Promise<Value>): Promise<Value | undefined> {
    try {
      return await read()
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      if (errno !== 'ENOENT' && this.#unreadable.length < MAX_UNREADABLE)
        this.#unreadable.push({ path: path.toString().slice(0, MAX_SHOWN), errno })
      return undefined
    }
  }
}
