import type { PlaybookExecution, PlaybookReport, StepReport } from '@cmdop/fleet'
import { say } from '../terminal.ts'
import { Drawing } from '../fleet/drawing.ts'
import { COLUMNS, REDRAW_MS } from '../fleet/progress-line.ts'
import { RunProgress } from '../fleet/run-progress.ts'
import { waitText } from '../fleet/wait-text.ts'
import { machinesOf } from './render-playbook.ts'

/**
 * Follows a playbook on stderr: a line for each step that has ended, and for each question to people; where that is a terminal, the waves of
 * the steps that go on below.
 */
export async function followPlaybook(
  run: PlaybookExecution,
  { isTerminal }: { readonly isTerminal: boolean },
): Promise<PlaybookReport> {
  const going = new Map<string, RunProgress>()
  const drawing = new Drawing()
  const draw = () => {
    const lines = Array.from(going, ([step, progress]) => [
      step,
      ...progress.lines(performance.now(), process.stderr.columns ?? COLUMNS),
    ])
    drawing.draw(lines.flat())
  }
  const tell = async (line: string) => {
    if (isTerminal) await drawing.remove()
    await say(line)
  }
  const timer = isTerminal ? setInterval(draw, REDRAW_MS) : undefined
  try {
    for await (const event of run) {
      if (event.type === 'step-start') going.set(event.step, new RunProgress(performance.now()))
      if (event.type === 'step-event') going.get(event.step)?.see(event.event, performance.now())
      if (event.type === 'step-event' && event.event.type === 'run-wait')
        await tell(`${event.step}: waits ${waitText(event.event.wait, event.runId)}`)
      if (event.type === 'rollback') await tell(`undoing what has ended well: ${event.because}`)
      if (event.type !== 'step-end') continue
      going.delete(event.report.step)
      await tell(lineOf(event.report))
    }
  } finally {
    clearInterval(timer)
    if (isTerminal) await drawing.remove()
  }
  return run
}

/** `restart: failed: web-1: exit code 3`, `restart: ok on 12 machines` */
function lineOf({ step, outcome, message, rows }: StepReport): string {
  const where = rows.length === 0 ? '' : ` on ${machinesOf(rows)}`
  return `${step}: ${outcome}${message === null ? where : `: ${message}`}`
}
