import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs'
import { CmdopError } from '@cmdop/protocol'
import { type DiskLibc, diskLibc, errno } from './libc.ts'
import { joinBytes, keyOf, nameOf, parentOf, zeroEnded } from './path-bytes.ts'
import { codeOf, systemError } from './system-error.ts'

const RESOLVE_NO_XDEV = 0x01n
const RESOLVE_NO_MAGICLINKS = 0x02n
const RESOLVE_NO_SYMLINKS = 0x04n
const RESOLVE_BENEATH = 0x08n
const beneath = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH
/** Node does not know it; the value is that of x64 and arm64. */
const O_PATH = 0x200000
const O_CLOEXEC = 0x80000

/** Directories that are kept open between two steps. */
const MAX_OPEN = 64

/**
 * The real disk below one directory. Every step works on a name in a directory that the kernel opened beneath that root, with no
 * symbolic link and no other mount on the way, so that no path leads out, whatever is renamed meanwhile.
 */
export class RealDisk implements Disposable {
  readonly root: string
  readonly device: bigint
  readonly #descriptor: number
  readonly #open = new Map<string, number>()
  readonly #libc: DiskLibc
  #closed = false

  constructor(root: string) {
    this.root = root
    this.#libc = diskLibc()
    this.#descriptor = openSync(root, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW | O_CLOEXEC)
    this.device = lstatSync(`/proc/self/fd/${this.#descriptor}/.`, { bigint: true }).dev
  }

  /**
   * A path that stands for the entry and nothing else, good until the next call. Only its last name may be a symbolic link. Throws
   * ENOENT for a missing directory, `effect_conflict` where a link or another mount is on the way.
   */
  at(path: Buffer): Buffer {
    if (path.length === 0) return Buffer.from(`/proc/self/fd/${this.#descriptor}/.`)
    const name = nameOf(path)
    if (name.length === 0 || name.equals(dot) || name.equals(dots)) throw conflictAt(this.full(path), 'is no name')
    return joinBytes(Buffer.from(`/proc/self/fd/${this.#directory(parentOf(path))}`), name)
  }

  /** A path that stands for a directory itself, to list it; good until the next call. Throws as `at`. */
  folder(path: Buffer): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#directory(path)}`)
  }

  /** The absolute path, for messages and journals. */
  full(path: Buffer): Buffer {
    return joinBytes(Buffer.from(this.root), path)
  }

  /** Forgets directories that are kept open: one of them is renamed or removed. */
  forget(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor)
    this.#open.clear()
  }

  /** True when a folder is on the same mount, so that entries can be renamed to it and back. */
  holds(folder: string): boolean {
    const descriptor = openSync(folder, O_PATH | constants.O_DIRECTORY | O_CLOEXEC)
    try {
      return mountOf(descriptor) === mountOf(this.#descriptor)
    } finally {
      closeSync(descriptor)
    }
  }

  /** Whether something is mounted at a path: another device alone does not say so, a subvolume has one of its own. */
  isMount(path: Buffer): boolean {
    const descriptor = this.#beneath(path, O_PATH | constants.O_NOFOLLOW)
    if (descriptor < 0) return this.#libc.errno() === errno.EXDEV
    closeSync(descriptor)
    return false
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    this.forget()
    closeSync(this.#descriptor)
  }

  #directory(path: Buffer): number {
    if (path.length === 0) return this.#descriptor
    const key = keyOf(path)
    const known = this.#open.get(key)
    if (known !== undefined) return known
    if (this.#open.size >= MAX_OPEN) this.forget()
    const descriptor = this.#beneath(path, O_PATH | constants.O_DIRECTORY)
    if (descriptor < 0) throw this.#refused(path)
    this.#open.set(key, descriptor)
    return descriptor
  }

  /** -1 for a failure, see errno. */
  #beneath(path: Buffer, flags: number): number {
    const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), 0n, beneath])
    return this.#libc.openat2(this.#descriptor, zeroEnded(path), how)
  }

  #refused(path: Buffer): Error {
    const code = this.#libc.errno()
    if (code === errno.EXDEV) return conflictAt(this.full(path), 'is on another mount')
    if (code === errno.ELOOP || code === errno.ENOTDIR)
      return conflictAt(this.full(path), 'is not a directory any more')
    return systemError('openat2', code, this.full(path))
  }
}

/**
 * Opens a regular file below a directory for reading, with no symbolic link on the way or at its end. Throws `effect_conflict` where
 * something else is by now; it never waits for the other end of a pipe.
 */
export function openFileBeneath(root: string, path: Buffer): number {
  using disk = new RealDisk(root)
  const full = disk.full(path)
  const descriptor = openAt(disk.at(path), full)
  if (fstatSync(descriptor).isFile()) return descriptor
  closeSync(descriptor)
  throw conflictAt(full, 'is no file any more')
}

function openAt(at: Buffer, full: Buffer): number {
  try {
    return openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    // A symbolic link, or a socket.
    if (codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO') throw conflictAt(full, 'is no file any more')
    throw error
  }
}

/** `effect_conflict` about one path. */
export function conflictAt(path: Buffer, why: string): CmdopError {
  const shown = path.toString()
  return new CmdopError(
    'effect_conflict',
    `Nothing was applied: ${JSON.stringify(shown)} ${why}. Run the command again.`,
    {
      details: { paths: [shown] },
    },
  )
}

const dot = Buffer.from('.')
const dots = Buffer.from('..')

function mountOf(descriptor: number): string | undefined {
  return /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1]
}
