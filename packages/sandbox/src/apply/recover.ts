import { basename, join } from 'node:path'
import { removeTree } from '../remove-tree.ts'
import type { ApplyOptions } from './apply-effect.ts'
import { Journal, listJournals } from './journal.ts'
import { readSealed } from './sealed-file.ts'
import { rollBack } from './roll-back.ts'
import type { Step } from './step.ts'

/** What became of an apply or undo that a crash interrupted. */
export interface Recovery {
  readonly effectId: string
  /**
   * `rolled-back`: nothing of it is applied. `undone`: the undo that was under way is finished. `failed`: neither could be done, for
   * `reason`, such as a disk that is not there; the journal stays for the next start.
   */
  readonly outcome: 'rolled-back' | 'undone' | 'failed'
  readonly reason?: string
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
    if (isComplete(folder)) continue
    try {
      const recovery = await recoverOne(folder, onStep)
      if (recovery !== undefined) recovered.push(recovery)
    } catch (error) {
      recovered.push({ effectId: basename(folder), outcome: 'failed', reason: String(error), leftAlone: [] })
    }
  }
  return recovered
}

/** Applied to its end, and not being taken back. */
function isComplete(folder: string): boolean {
  return readSealed(join(folder, 'applied')) !== undefined && readSealed(join(folder, 'undoing')) === undefined
}

async function recoverOne(folder: string, onStep: ApplyOptions['onStep']): Promise<Recovery | undefined> {
  using journal = Journal.open(folder)
  const steps = journal?.readPlan()
  if (journal !== undefined && steps !== undefined) return await finish(journal, steps, onStep)
  if (journal === undefined) await removeTree(folder)
  else await journal.remove()
  return undefined
}

async function finish(journal: Journal, steps: readonly Step[], onStep: ApplyOptions['onStep']): Promise<Recovery> {
  const left = await rollBack(journal, steps, { onStep })
  const outcome = journal.isMarked('undoing') ? 'undone' : 'rolled-back'
  onStep?.('recovered')
  if (left.length === 0) await journal.remove()
  return { effectId: basename(journal.folder), outcome, leftAlone: left.map((path) => path.toString()) }
}
