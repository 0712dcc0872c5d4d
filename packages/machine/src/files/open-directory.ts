import { constants } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { childPath } from './path-bytes.ts'

/**
 * A directory that stays the one it was, whatever its path means meanwhile: on Linux its entries are reached through its
 * descriptor, so that nobody who puts a link in its place leads a deletion elsewhere.
 */
export class OpenDirectory implements AsyncDisposable {
  readonly #handle: FileHandle
  readonly #base: Buffer

  private constructor(handle: FileHandle, path: Buffer) {
    this.#handle = handle
    this.#base = process.platform === 'linux' ? Buffer.from(`/proc/self/fd/${handle.fd}`) : path
  }

  /** Rejects with ENOTDIR or ELOOP for what is no directory; `follow` = a link at the path itself may lead to it. */
  static async open(path: Buffer, { follow = false } = {}): Promise<OpenDirectory> {
    const noFollow = follow ? 0 : constants.O_NOFOLLOW
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | noFollow)
    return new OpenDirectory(handle, path)
  }

  /** A path of an entry, good while the directory is open. */
  at(name: Buffer): Buffer {
    return childPath(this.#base, name)
  }

  /** Its names in byte order. */
  async names(): Promise<Buffer[]> {
    const names = await readdir(childPath(this.#base, Buffer.from('.')), { encoding: 'buffer' })
    return names.sort((left, right) => Buffer.compare(left, right))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}
