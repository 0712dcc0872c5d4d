import { createRequire } from 'node:module'
import { constants } from 'node:os'

const signatures = {
  mount: 'int mount(const char *source, const char *target, const char *type, ulong flags, const char *data)',
  umount2: 'int umount2(const char *target, int flags)',
  chdir: 'int chdir(const char *path)',
  unshare: 'int unshare(int flags)',
  prctl: 'int prctl(int option, ulong a, ulong b, ulong c, ulong d)',
  fcntl: 'int fcntl(int descriptor, int command, long value)',
  close: 'int close(int descriptor)',
  pipe2: 'int pipe2(void *descriptors, int flags)',
  open: 'int open(const char *path, int flags, uint mode)',
  ioctl: 'int ioctl(int descriptor, ulong request, void *value)',
  socket: 'int socket(int domain, int type, int protocol)',
  socketpair: 'int socketpair(int domain, int type, int protocol, void *descriptors)',
  sendmsg: 'long sendmsg(int descriptor, void *message, int flags)',
  recvmsg: 'long recvmsg(int descriptor, void *message, int flags)',
  llistxattr: 'long llistxattr(const char *path, void *list, size_t size)',
  lgetxattr: 'long lgetxattr(const char *path, const char *name, void *value, size_t size)',
  lsetxattr: 'int lsetxattr(const char *path, const char *name, void *value, size_t size, int flags)',
  waitpid: 'int waitpid(int pid, void *status, int options)',
  posix_spawn:
    'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **env)',
  posix_spawn_file_actions_init: 'int posix_spawn_file_actions_init(void *actions)',
  posix_spawn_file_actions_destroy: 'int posix_spawn_file_actions_destroy(void *actions)',
  posix_spawn_file_actions_adddup2: 'int posix_spawn_file_actions_adddup2(void *actions, int from, int to)',
  posix_spawn_file_actions_addopen:
    'int posix_spawn_file_actions_addopen(void *actions, int at, const char *path, int flags, uint mode)',
  posix_spawn_file_actions_addchdir_np: 'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)',
  posix_spawnattr_init: 'int posix_spawnattr_init(void *attributes)',
  posix_spawnattr_setflags: 'int posix_spawnattr_setflags(void *attributes, short flags)',
  posix_spawnattr_setsigdefault: 'int posix_spawnattr_setsigdefault(void *attributes, void *signals)',
  posix_spawnattr_setsigmask: 'int posix_spawnattr_setsigmask(void *attributes, void *signals)',
} as const

/** system calls that the C library has no function for, or one that would act on all threads. */
const numbers = {
  x64: { pivot_root: 155, capset: 126, setgroups: 116, setresuid: 117, setresgid: 119, seccomp: 317 },
  arm64: { pivot_root: 41, capset: 91, setgroups: 159, setresuid: 147, setresgid: 149, seccomp: 277 },
} as const

/** The same on every architecture. */
const later = {
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
  mount_setattr: 442,
} as const

export type SystemCall = keyof (typeof numbers)['x64'] | keyof typeof later

type Value = number | bigint | string | Uint8Array | Int32Array | null | readonly (string | null)[]

/** The C library and the kernel's calls, on the calling thread. Every function gives -1 for a failure; see `errno`. */
export type Libc = Readonly<Record<keyof typeof signatures, (...values: Value[]) => number>> & {
  /** syscall(2); six arguments, numbers or buffers. */
  syscall(name: SystemCall, ...values: Value[]): number
  /** errno of this thread's last call. */
  errno(): number
  /** Where the bytes are in memory. They must live as long as the address is used. */
  address(bytes: Uint8Array): bigint
}

let loaded: Libc | undefined

/** Loads it, once. Throws where koffi has no binary for this system, or the architecture is not x64 or arm64. */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}

/** A step of building the sandbox that the kernel refused, with its errno. */
export class StepError extends Error {
  readonly step: string
  readonly errno: string

  constructor(step: string, errno: string) {
    super(`${step}: ${errno}`)
    this.name = 'StepError'
    this.step = step
    this.errno = errno
  }
}

/** Gives the result of a call, or throws a {@link StepError} when it failed. */
export function must(step: string, result: number): number {
  if (result !== -1) return result
  throw new StepError(step, errnoName(libc().errno()))
}

/** `EPERM` for 1, and so on. */
export function errnoName(errno: number): string {
  const entry = Object.entries(constants.errno).find(([, value]) => value === errno)
  return entry?.[0] ?? `errno ${errno}`
}

function load(): Libc {
  const architecture = process.arch
  if (process.platform !== 'linux' || (architecture !== 'x64' && architecture !== 'arm64'))
    throw new StepError('load koffi', `no support for ${process.platform} on ${architecture}`)
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const library = koffi.load(null)
  const functions = Object.entries(signatures).map(([name, signature]) => [name, library.func(signature)])
  // One prototype for each place that takes an address.
  const callers = new Map<string, (...values: Value[]) => number>()
  const syscall = (name: SystemCall, ...values: Value[]): number => {
    const shape = [0, 1, 2, 3, 4].map((at) => (typeof (values[at] ?? 0) === 'number' ? 'long' : 'void *'))
    const key = shape.join()
    const call = callers.get(key) ?? library.func(`long syscall(long, ${shape.join(', ')})`)
    callers.set(key, call)
    const number = name in later ? later[name as keyof typeof later] : numbers[architecture][name as 'capset']
    return call(number, ...shape.map((_, at) => values[at] ?? 0))
  }
  return {
    ...(Object.fromEntries(functions) as Libc),
    syscall,
    errno: () => koffi.errno(),
    address: (bytes) => koffi.address(bytes),
  }
}
