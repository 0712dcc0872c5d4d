import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { hostname, homedir } from 'node:os'
import type { ExecChunk, ExecExit, ExecOptions, ExecResult, Execution, Machine } from '@cmdop/core'
import { CmdopError, type Facts } from '@cmdop/protocol'
import { merged } from '../calls/merged.ts'
import { localFiles } from './local-files.ts'

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
    files: localFiles(),
  }
}

function cancelled(): CmdopError {
  return new CmdopError('cancelled', 'The command was cancelled and is gone.', { details: { confirmed: true } })
}

function execute(command: string | readonly string[], options: ExecOptions, processes: Processes): Execution {
  const exit = Promise.withResolvers<ExecExit>()
  exit.promise.catch(() => undefined)
  const chunks = (): AsyncGenerator<ExecChunk, void, void> => run(command, options, { processes, exit })
  const result = async (): Promise<ExecResult> => {
    const all: ExecChunk[] = []
    for await (const chunk of chunks()) all.push(chunk)
    return resultOf(all, await exit.promise, options.maxOutputBytes ?? 1 << 20)
  }
  return {
    callId: randomUUID(),
    // oxlint-disable-next-line unicorn/no-thenable -- The contract says that an execution can be awaited.
    then: (fulfilled, rejected) => result().then(fulfilled, rejected),
    exit: exit.promise,
    [Symbol.asyncIterator]: chunks,
    [Symbol.asyncDispose]: async () => void (await exit.promise.catch(() => undefined)),
  }
}

async function* run(
  command: string | readonly string[],
  { cwd = homedir(), env = {}, signal, deadlineMs, restrictions }: ExecOptions,
  { processes, exit }: { processes: Processes; exit: PromiseWithResolvers<ExecExit> },
): AsyncGenerator<ExecChunk, void, void> {
  if (signal?.aborted) throw rejected(exit, cancelled())
  // A contract that is not kept must not be taken for one that is.
  if (restrictions !== undefined)
    throw rejected(
      exit,
      new CmdopError('restriction_unenforceable', 'The local machine of the tests holds no restrictions.'),
    )
  const [program = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
  const started = performance.now()
  const child = spawn(program, args, { cwd, env: changed(env), detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ending = ended(child, program)
  let stopped: CmdopError | undefined
  const stop = (error: CmdopError): void => {
    stopped ??= error
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  const onAbort = (): void => stop(cancelled())
  signal?.addEventListener('abort', onAbort, { once: true })
  const late = (): void => stop(new CmdopError('deadline', `The command did not end within ${deadlineMs} ms.`))
  const timer = deadlineMs === undefined ? undefined : setTimeout(late, deadlineMs)
  if (child.pid !== undefined) processes.onSpawn(child.pid)
  const bytes = { stdout: 0, stderr: 0 }
  try {
    for await (const { stream, data } of piecesOf(child)) {
      yield { stream, data, offset: bytes.stdout + bytes.stderr }
      bytes[stream] += data.length
    }
    const how = await ending
    if (stopped !== undefined) throw stopped
    const durationMs = performance.now() - started
    exit.resolve({ ...how, stdoutBytes: bytes.stdout, stderrBytes: bytes.stderr, durationMs })
  } catch (error) {
    throw rejected(exit, error)
  } finally {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) onAbort()
    await ending.catch(() => undefined)
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    if (child.pid !== undefined) processes.running.delete(child.pid)
  }
}

function rejected(exit: PromiseWithResolvers<ExecExit>, error: unknown): unknown {
  exit.reject(error)
  return error
}

function changed(env: Record<string, string | null>): NodeJS.ProcessEnv {
  const entries = Object.entries({ ...process.env, ...env }).filter(([, value]) => value !== null)
  return Object.fromEntries(entries) as NodeJS.ProcessEnv
}

/** Both streams in the order of their arrival; the process is slowed down by a slow reader. */
async function* piecesOf(
  child: ChildProcess,
): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Buffer }, void, void> {
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) return
  const label = async function* (stream: 'stdout' | 'stderr', source: AsyncIterable<Buffer>) {
    for await (const data of source) yield { stream, data }
  }
  yield* merged([label('stdout', stdout), label('stderr', stderr)])
}

function ended(child: ChildProcess, program: string): Promise<Pick<ExecExit, 'exitCode' | 'signal'>> {
  const ending = new Promise<Pick<ExecExit, 'exitCode' | 'signal'>>((resolve, reject) => {
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
  ending.catch(() => undefined)
  return ending
}

function resultOf(chunks: readonly ExecChunk[], exit: ExecExit, limit: number): ExecResult {
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
