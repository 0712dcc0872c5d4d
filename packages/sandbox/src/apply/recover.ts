import { basename } from 'node:path'
import { removeTree } from '../remove-tree.ts'
import type { ApplyOptions } from './apply-effect.ts'
import { Journal, listJournals } from './journal.ts'
import { rollBack } from './roll-back.ts'
import type { Step } from './step.ts'

/** What became of an apply or undo that a crash interrupted. */
export interface Recovery {
  readonly effectId: string
  /** `rolled-back`: nothing of it is applied. `undone`: the undo that was under way is finished. */
  readonly outcome: 'rolled-back' | 'undone'
  /** Paths that somebody changed in between; what they were is kept in the journal's folder. */
  readonly leftAlone: readonly string[]
}

/**
 * To be called at the start of the daemon, before anything is applied: brings every interrupted apply to an end. One that had not been
 * marked as applied is taken back, an undo is finished, complete ones are kept. It may itself be interrupted and called again.
 */
export async function recover({ journals, onStep }: Pick<ApplyOptions, 'journals' | 'onStep'>): Promise<Recovery[]> {
  const recovered: Recovery[] = []
  for (const folder of listJournals(journals)) {
    const journal = Journal.open(folder)
    if (!journal) await removeTree(folder)
    else if (!journal.isMarked('applied') || journal.isMarked('undoing')) {
      const steps = journal.readPlan()
      if (steps === undefined) await journal.remove()
      else recovered.push(await finish(journal, steps, onStep))
    }
    journal?.[Symbol.dispose]()
  }
  return recovered
}

async function finish(journal: Journal, steps: readonly Step[], onStep: ApplyOptions['onStep']): Promise<Recovery> {
  const left = await rollBack(journal, steps, { onStep })
  const outcome = journal.isMarked('undoing') ? 'undone' : 'rolled-back'
  onStep?.('recovered')
  if (left.length === 0) await journal.remove()
  return { effectId: basename(journal.folder), outcome, leftAlone: left.map((path) => path.toString()) }
}
