import { createRequire } from 'node:module'
import { CmdopError } from '@cmdop/protocol'

/** The calls that Node does not have. Paths and names are bytes ended by NUL; a result of -1 is a failure, see `errno`. */
export interface DiskLibc {
  llistxattr(path: Buffer, list: Buffer | null, size: number): number
  lgetxattr(path: Buffer, name: Buffer, value: Buffer | null, size: number): number
  lsetxattr(path: Buffer, name: Buffer, value: Buffer, size: number, flags: number): number
  lremovexattr(path: Buffer, name: Buffer): number
  /** `times`: two `struct timespec`, access and modification. */
  utimensat(directory: number, path: Buffer, times: BigInt64Array, flags: number): number
  lseek(descriptor: number, offset: number, whence: number): number
  fallocate(descriptor: number, mode: number, offset: number, length: number): number
  openat2(directory: number, path: Buffer, how: BigUint64Array): number
  renameat2(from: Buffer, to: Buffer, flags: number): number
  mknod(path: Buffer, mode: number, device: number): number
  /** syncfs(2), off the main thread: -1 is a failure. */
  syncfs(descriptor: number): Promise<number>
  /** errno of the last call of this thread. */
  errno(): number
}

/** Values of `errno` that are looked at. */
export const errno = {
  ENOENT: 2,
  EACCES: 13,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EINVAL: 22,
  ENODATA: 61,
  ERANGE: 34,
  ENOTSUP: 95,
  ENXIO: 6,
  ELOOP: 40,
}

const AT_FDCWD = -100

const signatures = {
  llistxattr: 'long llistxattr(void *path, void *list, size_t size)',
  lgetxattr: 'long lgetxattr(void *path, void *name, void *value, size_t size)',
  lsetxattr: 'int lsetxattr(void *path, void *name, void *value, size_t size, int flags)',
  lremovexattr: 'int lremovexattr(void *path, void *name)',
  utimensat: 'int utimensat(int directory, void *path, void *times, int flags)',
  lseek: 'int64 lseek(int descriptor, int64 offset, int whence)',
  fallocate: 'int fallocate(int descriptor, int mode, int64 offset, int64 length)',
  syscall4: 'long syscall(long number, long a, void *b, void *c, size_t d)',
  syscallRename: 'long syscall(long number, long a, void *b, long c, void *d, ulong e)',
  syscallMknod: 'long syscall(long number, long a, void *b, ulong c, ulong d)',
}

/** Linux system call numbers per `process.arch`. */
const numbers: Readonly<Record<string, { openat2: number; renameat2: number; mknodat: number }>> = {
  x64: { openat2: 437, renameat2: 316, mknodat: 259 },
  arm64: { openat2: 437, renameat2: 276, mknodat: 33 },
}

let loaded: DiskLibc | undefined

/** The C library of this process. Throws `unsupported` where effects cannot be read: not Linux, or no koffi for it. */
export function diskLibc(): DiskLibc {
  loaded ??= load()
  return loaded
}

function load(): DiskLibc {
  const call = numbers[process.arch]
  if (process.platform !== 'linux' || !call)
    throw new CmdopError(
      'unsupported',
      `Effects need Linux on x64 or arm64; this is ${process.platform} on ${process.arch}.`,
    )
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const library = koffi.load(null)
  const syncfs = library.func('int syncfs(int descriptor)')
  const functions = Object.fromEntries(
    Object.entries(signatures).map(([name, signature]) => [name, library.func(signature)]),
  ) as unknown as DiskLibc & Record<string, (...values: unknown[]) => number>
  const { syscall4, syscallRename, syscallMknod } = functions as unknown as Record<
    string,
    (...values: unknown[]) => number
  >
  if (!syscall4 || !syscallRename || !syscallMknod)
    throw new CmdopError('unsupported', 'The C library has no syscall().')
  return {
    ...functions,
    openat2: (directory, path, how) => syscall4(call.openat2, directory, path, how, how.byteLength),
    renameat2: (from, to, flags) => syscallRename(call.renameat2, AT_FDCWD, from, AT_FDCWD, to, flags),
    mknod: (path, mode, device) => syscallMknod(call.mknodat, AT_FDCWD, path, mode, device),
    syncfs: (descriptor) =>
      new Promise((resolve, reject) => {
        syncfs.async(descriptor, (error: Error | null, result: number) => (error ? reject(error) : resolve(result)))
      }),
    errno: () => koffi.errno(),
  }
}
