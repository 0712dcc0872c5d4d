import type { FleetEvent, FleetReport } from '@cmdop/fleet'
import { say, writeStderr } from '../terminal.ts'

/** Milliseconds between two drawings of the line. */
const REDRAW_MS = 100

/** Names of machines that are waited for, in the line at most. */
const STRAGGLERS = 3

/** Follows a run on stderr: a line that changes where that is a terminal, else a line for each machine that has ended. */
export async function followRun<Result>(
  run: AsyncIterable<FleetEvent<Result>> & PromiseLike<FleetReport<Result>>,
  { isTerminal }: { readonly isTerminal: boolean },
): Promise<FleetReport<Result>> {
  const running = new Map<string, string>()
  const counts = { done: 0, failed: 0, wave: 0 }
  let drawnAt = 0
  const draw = async () => {
    if (!isTerminal || performance.now() - drawnAt < REDRAW_MS) return
    drawnAt = performance.now()
    const waiting = Array.from(running.values()).slice(0, STRAGGLERS).join(', ')
    const failed = counts.failed === 0 ? '' : `, ${counts.failed} not ok`
    const line = `wave ${counts.wave}: ${counts.done} done${failed}, ${running.size} running${waiting === '' ? '' : `: ${waiting}`}`
    await writeStderr(`\r\u001b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`)
  }
  try {
    for await (const event of run) {
      if (event.type === 'wave-start') counts.wave = event.wave
      if (event.type === 'machine-start') running.set(event.machine.id, event.machine.name)
      if (event.type === 'machine-end') {
        const { machine, outcome, error } = event.row
        running.delete(machine.id)
        counts.done += 1
        if (outcome !== 'ok') counts.failed += 1
        if (!isTerminal) await say(`${machine.name}: ${outcome}${error === null ? '' : `: ${error.message}`}`)
      }
      await draw()
    }
  } finally {
    if (isTerminal) await writeStderr('\r\u001b[K')
  }
  return run
}
