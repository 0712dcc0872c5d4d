import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ownEnvironment } from './environment.ts'

/** A part of the world as a process of its own, which can be killed like any other. */
export interface Child<Ready> {
  readonly pid: number
  /** What it said when it was ready. */
  readonly ready: Ready
  /** Everything it wrote to stderr so far. */
  readonly stderr: string
  /** Its later lines on stdout. */
  readonly lines: AsyncIterableIterator<string>
  signal(signal: NodeJS.Signals): void
  /** Sends the signal and waits until the process is gone. Idempotent. */
  end(signal?: NodeJS.Signals): Promise<void>
}

/**
 * Starts one of the entry files of this folder with its settings as JSON, and waits for its first line: one JSON value.
 * It ends with its standard input, so that nothing is left of a test that crashed. As another `user` where one is given: that needs
 * root.
 */
export async function startChild<Ready>(
  entry: string,
  settings: unknown,
  environment: Record<string, string> = {},
  user?: { readonly uid: number; readonly gid: number },
): Promise<Child<Ready>> {
  const file = fileURLToPath(new URL(entry, import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@cmdop/source', file, JSON.stringify(settings)], {
    stdio: 'pipe',
    env: { ...ownEnvironment(), ...environment },
    ...(user && { ...user, cwd: '/' }),
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => {})
  const gone = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const first = await lines.next()
  if (first.done === true) throw new Error(`${entry} ended before it was ready: ${stderr}`)
  return {
    pid: child.pid ?? 0,
    ready: JSON.parse(first.value) as Ready,
    get stderr() {
      return stderr
    },
    lines,
    signal: (signal) => void child.kill(signal),
    end: async (signal = 'SIGKILL') => {
      if (!isRunning(child)) return
      child.kill(signal)
      // A stopped process takes every other signal only once it goes on.
      child.kill('SIGCONT')
      await gone
    },
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}
