import { stat } from 'node:fs/promises'
import { CmdopError, type EffectSummary, type ExecEnd, type ExecParams, KILL_GRACE_MS } from '@cmdop/protocol'
import { CALL_MARKER, findMarked, signalProcess } from './marked-processes.ts'
import { spawnNative } from './spawn/spawn-native.ts'
import { spawnPortable } from './spawn/spawn-portable.ts'
import type { SpawnedProcess } from './spawn/spawned-process.ts'

/** Looks at what is left of a call, each with a SIGKILL for what was found. */
const MAX_KILL_ROUNDS = 50

export interface SpawnOptions {
  readonly params: ExecParams
  /** Value of {@link CALL_MARKER}. */
  readonly marker: string
  /** What the command's environment starts from. */
  readonly environment: Readonly<Record<string, string>>
  /** Where it runs unless it says. */
  readonly home: string
}

/** A started process that leads a group of its own. Where it runs is its starter's. */
export interface ProcessGroup {
  readonly process: SpawnedProcess
  /** Ends the group and whatever of the call left it: SIGTERM now, SIGKILL after 2 s. */
  end(): GroupEnd
  /** To be called once the process and its output have ended: what it changed, where it was a transaction of its own. */
  settle(reason: ExecEnd['reason']): Promise<EffectSummary | undefined>
}

/** A group that is being ended. */
export interface GroupEnd {
  /** Ends what is left at once, and resolves when all of it has its SIGKILL. */
  finish(): Promise<void>
}

/** Starts a command over pipes, as the leader of a new process group. Rejects with `command_not_found` or `exec_failed`. */
export async function spawnGroup(options: SpawnOptions): Promise<ProcessGroup> {
  const { params, marker } = options
  const [file = '', ...args] = argvOf(params)
  const cwd = params.cwd ?? options.home
  try {
    const request = { file, args, cwd, env: environmentOf(options), stdin: params.stdin }
    const process = spawnNative(request) ?? (await spawnPortable(request))
    return { process, end: () => endGroup(process.pid, marker), settle: async () => undefined }
  } catch (cause) {
    throw await spawnError(cause, file, cwd)
  }
}

function endGroup(pid: number, marker: string): GroupEnd {
  const signalAll = (signal: NodeJS.Signals) => {
    signalGroup(pid, signal)
    void signalMarked(marker, signal)
  }
  signalAll('SIGTERM')
  // A stopped process takes its SIGTERM only once it goes on.
  signalAll('SIGCONT')
  const timer = setTimeout(() => signalAll('SIGKILL'), KILL_GRACE_MS)
  return {
    finish: async () => {
      clearTimeout(timer)
      signalGroup(pid, 'SIGKILL')
      await killMarked(marker)
    },
  }
}

/**
 * Ends what an earlier daemon left that carries the marker: SIGTERM or another signal, after 2 s SIGKILL. Resolves with how
 * many there were, once they are gone.
 */
export async function endMarked(marker: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
  const left = await findMarked(marker)
  for (const { pid } of left) signalProcess(pid, signal)
  for (const { pid } of left) signalProcess(pid, 'SIGCONT')
  const end = Date.now() + KILL_GRACE_MS
  while (Date.now() < end && (await findMarked(marker)).length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await killMarked(marker)
  return left.length
}

/** Ends everything whose marker starts so, at once, and resolves when nothing of it is left. */
export async function killMarked(prefix: string): Promise<void> {
  // More than once: what was found may have started others before its end.
  for (let round = 0; round < MAX_KILL_ROUNDS; round += 1) {
    if ((await signalMarked(prefix, 'SIGKILL')) === 0) return
  }
}

/** Signals everything that carries this marker. */
export async function signalMarked(marker: string, signal: NodeJS.Signals): Promise<number> {
  const marked = await findMarked(marker)
  return marked.filter(({ pid }) => signalProcess(pid, signal)).length
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  signalProcess(-pid, signal)
}

/** A string is a line for the shell. */
export function argvOf({ command }: Pick<ExecParams, 'command'>): readonly string[] {
  return typeof command === 'string' ? ['/bin/sh', '-c', command] : command
}

/** All of the environment that a command gets. */
export function environmentOf({ params, environment, marker }: Omit<SpawnOptions, 'home'>): Record<string, string> {
  const merged: Record<string, string | null> = { ...environment, ...params.env, [CALL_MARKER]: marker }
  return Object.fromEntries(Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== null))
}

async function spawnError(cause: unknown, file: string, cwd: string): Promise<CmdopError> {
  const errno = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'unknown'
  const details = { errno, file, cwd }
  const directory = await stat(cwd).catch(() => undefined)
  if (directory?.isDirectory() !== true) {
    return new CmdopError('exec_failed', `The directory ${cwd} does not exist on the machine, or is none.`, {
      cause,
      details,
    })
  }
  if (errno === 'ENOENT')
    return new CmdopError('command_not_found', `The machine has no program ${file}; check its PATH.`, {
      cause,
      details,
    })
  if (errno === 'E2BIG')
    return new CmdopError('exec_failed', 'Arguments and environment are too long for the machine.', { cause, details })
  return new CmdopError('exec_failed', `The machine could not start ${file} (${errno}).`, { cause, details })
}
