import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'

/** Milliseconds that a process has to end by itself. */
const PATIENCE_MS = 10_000

/** Node in a process group of its own, so that ^C reaches only the story, which ends things in their order. */
export function startNode(
  argv: readonly string[],
  { cwd, stdio = ['ignore', 'pipe', 'inherit'] }: { readonly cwd?: string; readonly stdio?: StdioOptions } = {},
): ChildProcess {
  return spawn(process.execPath, argv, { stdio, detached: true, ...(cwd === undefined ? {} : { cwd }) })
}

/** Ends a process, by force when it does not end by itself, and resolves once it is gone. */
export async function endOfProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  // A stopped process takes the signal only once it goes on.
  child.kill('SIGCONT')
  const force = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  await gone.finally(() => clearTimeout(force))
}
