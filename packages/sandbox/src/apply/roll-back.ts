import { keyOf } from '../disk/path-bytes.ts'
import { createPace } from '../pace.ts'
import type { Journal } from './journal.ts'
import type { KnownEntries } from './known-entries.ts'
import type { Step } from './step.ts'
import { syncTouched } from './sync-touched.ts'
import { isTakenBack, undoStep } from './undo-step.ts'

/** How a roll back goes. */
interface RollBackOptions {
  /** Steps that were begun, where that is known. Default: all. */
  readonly begun?: number
  /** What the steps left. After a crash that is not known: then what may have been written to is taken back. */
  readonly known?: KnownEntries
  readonly onStep?: ((step: string) => void) | undefined
}

/** Takes steps back, the last first. Gives the absolute paths that somebody else changed, which are left alone. */
export async function rollBack(
  journal: Journal,
  all: readonly Step[],
  { begun = all.length, onStep, known }: RollBackOptions = {},
): Promise<Buffer[]> {
  // Every step moved times of directories, also of those whose own step was not reached.
  const steps = all.filter((step, index) => index < begun || isOfDirectory(step))
  const pace = createPace()
  const mayBeWritten = journal.mayBeWritten()
  const undo = async (step: Step, index: number) => {
    onStep?.(`undo ${step.do} ${index}`)
    await undoStep(journal, step, known)
    await pace()
  }
  for (const [index, step] of [...steps.entries()].toReversed()) {
    if (isOfDirectory(step) || (step.do === 'write' && !mayBeWritten(index))) continue
    await undo(step, index)
  }
  // What a directory is comes back when all in it has: these steps stand deepest first.
  for (const [index, step] of steps.entries()) if (isOfDirectory(step)) await undo(step, index)
  for (const step of steps) if (step.do === 'take' && step.before.type === 'directory') await undo(timesOf(step), -1)
  await syncTouched(journal, steps)
  const left = steps
    .filter((step) => !isTakenBack(journal, step))
    .map(({ layer, path }) => journal.disk(layer).full(path))
  return [...new Map(left.map((path) => [keyOf(path), path])).values()]
}

function isOfDirectory(step: Step): boolean {
  return step.do === 'times' || (step.do === 'attributes' && step.after.type === 'directory')
}

function timesOf({ layer, path, before }: Extract<Step, { do: 'take' }>): Step {
  return { do: 'times', layer, path, ino: before.ino, mode: before.mode, before: before.mtimeNs, after: before.mtimeNs }
}
