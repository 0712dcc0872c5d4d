import { accessSync, constants, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { errnoName, libc, must } from './libc.ts'
import type { ProgramRequest } from './plan.ts'

/** Larger than `posix_spawnattr_t` (336 bytes) and `posix_spawn_file_actions_t` (80 bytes) of glibc on any machine. */
const STRUCT_BYTES = 1024

/** Of `<spawn.h>`: a session of its own, every signal at its default, none blocked. */
const FLAGS = 0x04 | 0x08 | 0x80

const O_RDWR = 2
const O_NOCTTY_CLOEXEC = 0o400 | 0o2000000
const TIOCSPTLCK = 0x4004_5431
const TIOCGPTN = 0x8004_5430
const TIOCSWINSZ = 0x5414
const TCGETS = 0x5401
const TCSETS = 0x5402
const IUTF8 = 0o40000

let attributes: Buffer | undefined

/** A terminal of the view. */
export interface Terminal {
  readonly master: number
  readonly slave: number
  readonly path: string
}

/** Why nothing was started, as an errno. */
export class NotStarted extends Error {
  readonly errno: string

  constructor(errno: string) {
    super(errno)
    this.errno = errno
  }
}

/**
 * Starts a program from the calling thread, with its rights and in its view, as leader of a session of its own. `ends` are its
 * descriptors 0, 1 and 2, or a terminal; a first end of -1 is `/dev/null`. Gives its id in the view.
 */
export function startProgram(asked: ProgramRequest, ends: readonly number[] | Terminal): number {
  const own = resolveProgram(asked)
  const request = withLimits(asked)
  const path = request === asked ? own : resolveProgram(request)
  if (own === undefined || path === undefined) throw new NotStarted('ENOENT')
  const actions = Buffer.alloc(STRUCT_BYTES)
  libc().posix_spawn_file_actions_init(actions)
  try {
    if (isTerminal(ends)) addTerminal(actions, ends)
    else addPipes(actions, ends)
    libc().posix_spawn_file_actions_addchdir_np(actions, request.cwd)
    const pid = new Int32Array(1)
    const env = Object.entries(request.env).map(([name, value]) => `${name}=${value}`)
    attributes ??= prepare()
    const argv = [request.file, ...request.args, null]
    const errno = libc().posix_spawn(pid, path, actions, attributes, argv, [...env, null])
    if (errno !== 0) throw new NotStarted(errnoName(errno))
    return pid[0] ?? -1
  } finally {
    libc().posix_spawn_file_actions_destroy(actions)
  }
}

/** Opens a terminal in the view, from its own devpts. */
export function openTerminal({ columns, rows }: { columns: number; rows: number }): Terminal {
  const master = must('open /dev/ptmx', libc().open('/dev/ptmx', O_RDWR | O_NOCTTY_CLOEXEC, 0))
  must('unlock the terminal', libc().ioctl(master, TIOCSPTLCK, new Int32Array([0])))
  const number = new Int32Array(1)
  must('name the terminal', libc().ioctl(master, TIOCGPTN, number))
  const path = `/dev/pts/${number[0]}`
  const slave = must(`open ${path}`, libc().open(path, O_RDWR | O_NOCTTY_CLOEXEC, 0))
  libc().ioctl(master, TIOCSWINSZ, Buffer.from(new Uint16Array([rows, columns, 0, 0]).buffer))
  const settings = Buffer.alloc(64)
  if (libc().ioctl(slave, TCGETS, settings) === 0) {
    settings.writeUInt32LE(settings.readUInt32LE() | IUTF8)
    libc().ioctl(slave, TCSETS, settings)
  }
  return { master, slave, path }
}

function isTerminal(ends: readonly number[] | Terminal): ends is Terminal {
  return 'master' in ends
}

/** The first terminal that the leader of a session opens becomes its controlling terminal. */
function addTerminal(actions: Buffer, { path }: Terminal): void {
  libc().posix_spawn_file_actions_addopen(actions, 0, path, O_RDWR, 0)
  for (const at of [1, 2]) libc().posix_spawn_file_actions_adddup2(actions, 0, at)
}

function addPipes(actions: Buffer, ends: readonly number[]): void {
  for (const [at, descriptor] of ends.entries()) {
    if (descriptor === -1) libc().posix_spawn_file_actions_addopen(actions, at, '/dev/null', 0, 0)
    else libc().posix_spawn_file_actions_adddup2(actions, descriptor, at)
  }
}

function prepare(): Buffer {
  const made = Buffer.alloc(STRUCT_BYTES)
  libc().posix_spawnattr_init(made)
  libc().posix_spawnattr_setflags(made, FLAGS)
  libc().posix_spawnattr_setsigdefault(made, Buffer.alloc(128, 0xff))
  libc().posix_spawnattr_setsigmask(made, Buffer.alloc(128, 0))
  return made
}

/** The program that execvp(3) would run, by the PATH that the process gets; undefined when there is none. */
function resolveProgram({ file, cwd, env }: ProgramRequest): string | undefined {
  if (file.includes('/')) return isAbsolute(file) ? file : join(cwd, file)
  const folders = (env['PATH'] ?? '').split(':')
  return folders.map((folder) => join(isAbsolute(folder) ? folder : join(cwd, folder), file)).find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Also a folder on the PATH that may not be looked into.
    return false
  }
}

/** prlimit(1) of util-linux, which has unshare(1) too: limits are of a process, and this thread is of the host's. */
function withLimits(request: ProgramRequest): ProgramRequest {
  const { cpuSeconds, memoryBytes, processes, openFiles } = request.limits ?? {}
  const limits = Object.entries({ cpu: cpuSeconds, as: memoryBytes, nproc: processes, nofile: openFiles })
  const flags = limits.filter(([, value]) => value !== undefined).map(([name, value]) => `--${name}=${value}`)
  if (flags.length === 0) return request
  return { ...request, file: '/usr/bin/prlimit', args: [...flags, '--', request.file, ...request.args] }
}
