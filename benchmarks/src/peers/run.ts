import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Milliseconds a peer's process has between SIGTERM and SIGKILL. */
const END_WITHIN_MS = 2000

/** Runs a program to its end, without its output. Throws when it does not end with 0. */
export async function runProgram(file: string, args: readonly string[]): Promise<void> {
  const child = spawn(file, args, { stdio: 'ignore' })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (code !== 0) throw new Error(`${file} ended with ${signal ?? code}.`)
}

/** Runs a program to its end and counts what it writes to its output. */
export async function countOutput(file: string, args: readonly string[]): Promise<number> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let bytes = 0
  child.stdout.on('data', (data: Buffer) => {
    bytes += data.length
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${file} ended with ${code}.`)
  return bytes
}

/** Runs a program to its end and counts the lines of its output that have this in them. */
export async function countLines(
  file: string,
  args: readonly string[],
  { match, env }: { readonly match: string; readonly env: Readonly<Record<string, string>> },
): Promise<number> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...env } })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (data: string) => (output += data))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${file} ended with ${code}.`)
  return output.split('\n').filter((line) => line.includes(match)).length
}

/** A program that runs until it is disposed, by its own process id, also when the benchmark itself is ended. */
export function startProgram(file: string, args: readonly string[]): AsyncDisposable {
  const child = spawn(file, args, { stdio: 'ignore' })
  const endAtOnce = () => void child.kill('SIGTERM')
  process.once('exit', endAtOnce)
  child.once('exit', () => process.off('exit', endAtOnce))
  return { [Symbol.asyncDispose]: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS)
  child.kill('SIGTERM')
  await ended
  clearTimeout(timer)
}
