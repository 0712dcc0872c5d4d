import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ownEnvironment } from './environment.ts'

/** The entry of `cmdop`. */
export const cliMain = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

/** A finished command of the command line. */
export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A running one. */
export interface RunningCli {
  readonly child: ChildProcess
  readonly done: Promise<CliResult>
  /** What came on stdout so far. */
  stdout(): string
  stderr(): string
}

/** Starts `cmdop` with only these variables beside PATH and HOME, and with standard input if it is given. */
export function startCli(argv: readonly string[], env: Record<string, string> = {}, input?: string): RunningCli {
  const child = spawn(process.execPath, ['--conditions=@cmdop/source', cliMain, ...argv], {
    env: { ...ownEnvironment(), ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  child.stdin?.end(input)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const done = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  return { child, done, stdout: () => stdout, stderr: () => stderr }
}

/** Runs `cmdop` to its end. */
export function runCli(argv: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  return startCli(argv, env).done
}
