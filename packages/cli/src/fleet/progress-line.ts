import type { FleetEvent, FleetReport } from '@cmdop/fleet'
import { say } from '../terminal.ts'
import { Drawing } from './drawing.ts'
import { RunProgress } from './run-progress.ts'
import { waitText } from './wait-text.ts'

/** Milliseconds between two drawings. */
export const REDRAW_MS = 200

/** Columns of a terminal that does not say how many it has. */
export const COLUMNS = 80

/**
 * Follows a run on stderr: where that is a terminal, a bar for each wave, what is counted and who is waited for, drawn again and again in the same
 * place; else a line for each machine that has ended.
 */
export async function followRun<Result>(
  run: AsyncIterable<FleetEvent<Result>> & PromiseLike<FleetReport<Result>> & { readonly runId: string },
  { isTerminal }: { readonly isTerminal: boolean },
): Promise<FleetReport<Result>> {
  if (!isTerminal) {
    for await (const event of run) {
      if (event.type === 'run-wait') await say(`waits ${waitText(event.wait, run.runId)}`)
      if (event.type === 'machine-end') await say(lineOf(event.row))
    }
    return run
  }
  const progress = new RunProgress(performance.now())
  const drawing = new Drawing()
  const draw = () => drawing.draw(progress.lines(performance.now(), process.stderr.columns ?? COLUMNS))
  // While nothing happens, too: times go on.
  const timer = setInterval(draw, REDRAW_MS)
  try {
    for await (const event of run) {
      if (event.type === 'run-wait') {
        await drawing.remove()
        await say(`waits ${waitText(event.wait, run.runId)}`)
      }
      progress.see(event, performance.now())
    }
  } finally {
    clearInterval(timer)
    await drawing.remove()
  }
  return run
}

function lineOf({ machine, outcome, error }: FleetReport<unknown>['rows'][number]): string {
  return `${machine.name}: ${outcome}${error === null ? '' : `: ${error.message}`}`
}
