import { KILL_GRACE_MS } from '@cmdop/protocol'
import { killMarked, signalMarked } from '../exec/process-group.ts'
import type { Pty } from './pty/pty.ts'

/** Milliseconds after SIGKILL in which the terminal must say that its program has ended. */
const EXIT_AFTER_KILL_MS = 2000

/**
 * Ends a shell and everything that was started in its session: SIGHUP as by a terminal that is gone, after 2 s SIGKILL.
 * Resolves when it is over; also when the system does not let go of a process.
 */
export async function endProcesses(pty: Pty, marker: string): Promise<void> {
  for (const signal of ['SIGHUP', 'SIGCONT'] as const) {
    pty.kill(signal)
    await signalMarked(marker, signal)
  }
  await within(pty.exit, KILL_GRACE_MS)
  pty.kill('SIGKILL')
  await killMarked(marker)
  await within(pty.exit, EXIT_AFTER_KILL_MS)
}

async function within(settled: Promise<unknown>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  await Promise.race([settled, late.promise])
  clearTimeout(timer)
}
