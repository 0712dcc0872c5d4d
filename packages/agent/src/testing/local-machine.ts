import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { open, readdir, lstat } from 'node:fs/promises'
import { hostname, homedir } from 'node:os'
import { basename, join } from 'node:path'
import type {
  ExecChunk,
  ExecExit,
  ExecOptions,
  ExecResult,
  Execution,
  FileEntry,
  Machine,
  MachineFiles,
  MachinePath,
} from '@cmdop/core'
import { CmdopError, type Facts, fileError } from '@cmdop/protocol'

/** A machine with its processes in sight. */
export interface LocalMachine extends Machine {
  /** Ids of the processes of running commands. */
  readonly running: ReadonlySet<number>
  /** The id of the next command's process, as soon as it runs. */
  nextProcess(): Promise<number>
}

interface Processes {
  readonly running: Set<number>
  readonly onSpawn: (pid: number) => void
}

/**
 * The machine the tests run on, without a daemon: real processes, real files, and facts as they are given. It keeps to
 * the contract of `Machine` as far as an operator uses it; offsets over both streams are not kept.
 */
export function localMachine(facts: Facts): LocalMachine {
  const running = new Set<number>()
  const waiting: ((pid: number) => void)[] = []
  const onSpawn = (pid: number): void => {
    running.add(pid)
    for (const resolve of waiting.splice(0)) resolve(pid)
  }
  return {
    id: randomUUID(),
    name: 'local',
    hostname: hostname(),
    running,
    nextProcess: () => new Promise((resolve) => void waiting.push(resolve)),
    exec: (command, options = {}) => execute(command, options, { running, onSpawn }),
    capabilities: () => Promise.resolve({ system: process.platform, restrictions: {}, landlock: 0, hints: [] }),
    facts: ({ signal } = {}) => (signal?.aborted ? Promise.reject(cancelled()) : Promise.resolve(facts)),
    files: localFiles,
  }
}

const refused = (): Promise<never> =>
  Promise.reject(
    new CmdopError('unsupported', 'The local machine of the tests only reads files; write them by node:fs.'),
  )

const localFiles: MachineFiles = {
  read: async (path, { offset = 0, length = 65_536 } = {}) => {
    await using file = await open(local(path)).catch((error: unknown) => fail(error, path))
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, offset)
    return { path, offset, size, data: buffer.subarray(0, bytesRead) }
  },
  list: async (path, { limit = 200, cursor } = {}) => {
    const names = (await readdir(local(path)).catch((error: unknown) => fail(error, path)))
      .sort()
      .filter((name) => cursor === undefined || name > cursor)
    const page = names.slice(0, limit)
    const entries = await Promise.all(page.map((name) => entry(join(local(path), name))))
    const last = page.at(-1)
    return { entries, ...(names.length > limit && last !== undefined ? { nextCursor: last } : {}) }
  },
  stat: (path) => entry(local(path)).catch((error: unknown) => fail(error, path)),
  write: refused,
  search: refused,
  mkdir: refused,
  copy: refused,
  move: refused,
  delete: refused,
}

function local(path: MachinePath): string {
  return Buffer.from(path).toString()
}

function fail(error: unknown, path: MachinePath): never {
  throw fileError(error, local(path))
}

async function entry(path: string): Promise<FileEntry> {
  const stat = await lstat(path)
  const { size, uid, gid } = stat
  const type = stat.isSymbolicLink() ? 'symlink' : stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other'
  return {
    name: basename(path),
    type,
    size,
    mode: stat.mode & 0o7777,
    uid,
    gid,
    modifiedAt: stat.mtime.toISOString(),
    allocatedBytes: stat.blocks * 512,
    version: `${stat.ino}-${size}-${stat.mtimeMs}`,
  }
}

function cancelled(): CmdopError {
  return new CmdopError('cancelled', 'The command was cancelled.')
}

function execute(command: string | readonly string[], options: ExecOptions, processes: Processes): Execution {
  const chunks: ExecChunk[] = []
  const result = collect(command, options, { ...processes, chunks })
  result.catch(() => undefined)
  return {
    callId: randomUUID(),
    // oxlint-disable-next-line unicorn/no-thenable -- The contract says that an execution can be awaited.
    then: (fulfilled, rejected) => result.then(fulfilled, rejected),
    exit: result,
    async *[Symbol.asyncIterator]() {
      await result
      yield* chunks
    },
    [Symbol.asyncDispose]: async () => void (await result.catch(() => undefined)),
  }
}

async function collect(
  command: string | readonly string[],
  { cwd = homedir(), env = {}, signal, deadlineMs, maxOutputBytes = 1 << 20, restrictions }: ExecOptions,
  { running, onSpawn, chunks }: Processes & { chunks: ExecChunk[] },
): Promise<ExecResult> {
  if (signal?.aborted) throw cancelled()
  // A contract that is not kept must not be taken for one that is.
  if (restrictions !== undefined)
    throw new CmdopError('restriction_unenforceable', 'The local machine of the tests holds no restrictions.')
  const [program = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
  const started = performance.now()
  const child = spawn(program, args, { cwd, env: environment(env), detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let stopped: CmdopError | undefined
  const stop = (error: CmdopError): void => {
    stopped ??= error
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  const onAbort = (): void => stop(cancelled())
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer =
    deadlineMs === undefined
      ? undefined
      : setTimeout(
          () => stop(new CmdopError('deadline', `The command did not end within ${deadlineMs} ms.`)),
          deadlineMs,
        )
  if (child.pid !== undefined) onSpawn(child.pid)
  try {
    const exit = await ended(child, program, chunks)
    if (stopped !== undefined) throw stopped
    return resultOf(chunks, { ...exit, durationMs: performance.now() - started }, maxOutputBytes)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    if (child.pid !== undefined) running.delete(child.pid)
  }
}

function environment(changes: Record<string, string | null>): NodeJS.ProcessEnv {
  const merged = { ...process.env, ...changes }
  return Object.fromEntries(Object.entries(merged).filter((entry) => entry[1] !== null)) as NodeJS.ProcessEnv
}

function ended(
  child: ChildProcess,
  program: string,
  chunks: ExecChunk[],
): Promise<Pick<ExecExit, 'exitCode' | 'signal'>> {
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.on('data', (data: Buffer) => chunks.push({ stream, data, offset: 0 }))
  }
  return new Promise((resolve, reject) => {
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal }))
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        new CmdopError(
          error.code === 'ENOENT' ? 'command_not_found' : 'exec_failed',
          `${program} cannot be started: ${error.message}.`,
        ),
      ),
    )
  })
}

function resultOf(
  chunks: readonly ExecChunk[],
  exit: Pick<ExecExit, 'exitCode' | 'signal' | 'durationMs'>,
  limit: number,
): ExecResult {
  const whole = (stream: string): Buffer =>
    Buffer.concat(chunks.filter((chunk) => chunk.stream === stream).map((chunk) => chunk.data))
  const half = Math.floor(limit / 2)
  const kept = (data: Buffer): Buffer =>
    data.length <= limit ? data : Buffer.concat([data.subarray(0, half), data.subarray(data.length - half)])
  const [stdout, stderr] = [whole('stdout'), whole('stderr')]
  return {
    ...exit,
    stdoutBytes: stdout.length,
    stderrBytes: stderr.length,
    stdout: kept(stdout).toString(),
    stderr: kept(stderr).toString(),
    stdoutData: kept(stdout),
    stderrData: kept(stderr),
    stdoutTruncated: stdout.length > limit,
    stderrTruncated: stderr.length > limit,
  }
}
