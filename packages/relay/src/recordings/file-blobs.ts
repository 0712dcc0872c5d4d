import { mkdirSync } from 'node:fs'
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CmdopError, toCmdopError } from '@cmdop/protocol'
import type { Blobs } from './blobs.ts'

/** {@link Blobs} as files of a folder, mode 0600. Several relays may share the folder. */
export class FileBlobs implements Blobs {
  readonly #folder: string
  /** One append after another, by name. */
  readonly #appending = new Map<string, Promise<unknown>>()

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  async append(name: string, offset: number, bytes: Uint8Array): Promise<number> {
    const before = this.#appending.get(name) ?? Promise.resolve()
    const appended = before.then(() => append(this.#path(name), offset, bytes)).catch(cannotBeWritten)
    const settled = appended.catch(() => {})
    this.#appending.set(name, settled)
    try {
      return await appended
    } finally {
      if (this.#appending.get(name) === settled) this.#appending.delete(name)
    }
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    const handle = await open(this.#path(name)).catch(notThere)
    if (handle === undefined) return new Uint8Array(0)
    try {
      const size = Math.max(0, Math.min(length, (await handle.stat()).size - offset))
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(size), 0, size, offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  }

  async size(name: string): Promise<number> {
    return (await stat(this.#path(name)).catch(notThere))?.size ?? 0
  }

  /** In folders by the end of the name, which is random: none gets too many files. */
  #path(name: string): string {
    if (!/^[\w-]{4,200}$/.test(name)) throw new CmdopError('server', `Expected the name of a blob, got "${name}".`)
    return join(this.#folder, name.slice(-2), name)
  }
}

async function append(path: string, offset: number, bytes: Uint8Array): Promise<number> {
  const handle = await openForAppend(path)
  try {
    const { size } = await handle.stat()
    if (offset > size) {
      throw new CmdopError('conflict', `Expected bytes from ${size} on, got some from ${offset} on.`, {
        details: { storedBytes: size },
      })
    }
    const rest = bytes.subarray(size - offset)
    if (rest.length === 0) return size
    // At its position, not at the end: who writes the same at the same moment writes it to the same place.
    for (let done = 0; done < rest.length;) {
      done += (await handle.write(rest, done, rest.length - done, size + done)).bytesWritten
    }
    await handle.datasync()
    return size + rest.length
  } finally {
    await handle.close()
  }
}

/** A new file's name is made durable with it. */
async function openForAppend(path: string): Promise<FileHandle> {
  const known = await open(path, 'r+').catch(notThere)
  if (known !== undefined) return known
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const handle = await open(path, 'a', 0o600)
  await handle.close()
  for (const each of [folder, dirname(folder)]) {
    await using directory = await open(each)
    await directory.sync()
  }
  return open(path, 'r+')
}

function notThere(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw new CmdopError('unavailable', `The recording cannot be read now (${error.code}); try again.`, { cause: error })
}

function cannotBeWritten(cause: unknown): never {
  throw toCmdopError(cause, 'unavailable', 'The relay cannot write the recording now; is its disk full?')
}
