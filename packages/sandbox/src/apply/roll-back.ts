import type { Journal } from './journal.ts'
import type { Step } from './step.ts'
import { undoStep } from './undo-step.ts'

/** Takes steps back, the last first. Gives the absolute paths that somebody else changed, which are left alone. */
export async function rollBack(journal: Journal, steps: readonly Step[], onStep?: (step: string) => void): Promise<Buffer[]> {
  const mayBeWritten = journal.mayBeWritten()
  const left: Buffer[] = []
  const undo = async (step: Step, index: number) => {
    onStep?.(`undo ${step.do} ${index}`)
    if (!(await undoStep(journal, step))) left.push(journal.disk(step.layer).full(step.path))
  }
  for (const [index, step] of [...steps.entries()].toReversed()) {
    if (isOfDirectory(step) || (step.do === 'write' && !mayBeWritten(index))) continue
    await undo(step, index)
  }
  // What a directory is comes back when all in it has: these steps stand deepest first.
  for (const [index, step] of steps.entries()) if (isOfDirectory(step)) await undo(step, index)
  for (const step of steps) if (step.do === 'take' && step.before.type === 'directory') await undo(timesOf(step), -1)
  return left
}

function isOfDirectory(step: Step): boolean {
  return step.do === 'times' || (step.do === 'attributes' && step.after.type === 'directory')
}

function timesOf({ layer, path, before }: Extract<Step, { do: 'take' }>): Step {
  return { do: 'times', layer, path, ino: before.ino, mode: before.mode, before: before.mtimeNs, after: before.mtimeNs }
}
