import { createRequire } from 'node:module'

/** The functions of the GNU C library that processes and terminals need. An int is an error number, 0 is success. */
export interface Libc {
  /** pipe2(2): fills two descriptors. -1 is a failure. */
  pipe2(descriptors: Int32Array, flags: number): number
  /** close(2). */
  close(descriptor: number): number
  /** waitpid(2): the process id when it has ended, 0 when not yet, -1 when there is none. */
  waitpid(pid: number, status: Int32Array, options: number): number
  posix_spawn(pid: Int32Array, path: string, actions: Buffer, attributes: Buffer, argv: Argv, env: Argv): number
  posix_spawn_file_actions_init(actions: Buffer): number
  posix_spawn_file_actions_destroy(actions: Buffer): number
  posix_spawn_file_actions_adddup2(actions: Buffer, from: number, to: number): number
  posix_spawn_file_actions_addopen(actions: Buffer, at: number, path: string, flags: number, mode: number): number
  posix_spawn_file_actions_addchdir_np(actions: Buffer, path: string): number
  posix_spawnattr_init(attributes: Buffer): number
  posix_spawnattr_setflags(attributes: Buffer, flags: number): number
  posix_spawnattr_setsigdefault(attributes: Buffer, signals: Buffer): number
  posix_spawnattr_setsigmask(attributes: Buffer, signals: Buffer): number
  /** fcntl(2). -1 is a failure. */
  fcntl(descriptor: number, command: number, type: 'int', value: number): number
  /** tcgetattr(3): fills a `struct termios`. -1 is a failure. */
  tcgetattr(descriptor: number, termios: Buffer): number
  /** tcgetsid(3): the leader of the session whose terminal it is, by its id in the caller's namespace. -1 is a failure. */
  tcgetsid(descriptor: number): number
  /** tcflush(3). -1 is a failure. */
  tcflush(descriptor: number, queue: number): number
}

/** Strings, ended by null. */
export type Argv = readonly (string | null)[]

const signatures: Readonly<Record<keyof Libc, string>> = {
  pipe2: 'int pipe2(void *descriptors, int flags)',
  close: 'int close(int descriptor)',
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
  fcntl: 'int fcntl(int descriptor, int command, ...)',
  tcgetattr: 'int tcgetattr(int descriptor, void *termios)',
  tcgetsid: 'int tcgetsid(int descriptor)',
  tcflush: 'int tcflush(int descriptor, int queue)',
}

let loaded: { readonly libc: Libc | undefined } | undefined

/** The library, once loaded; undefined where it is not glibc 2.29 or later on Linux, or koffi has no binary for it. */
export function loadLibc(): Libc | undefined {
  loaded ??= { libc: process.platform === 'linux' ? load() : undefined }
  return loaded.libc
}

function load(): Libc | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const library = koffi.load('libc.so.6')
    const entries = Object.entries(signatures).map(([name, signature]) => [name, library.func(signature)])
    return Object.fromEntries(entries) as Libc
  } catch {
    return undefined
  }
}
