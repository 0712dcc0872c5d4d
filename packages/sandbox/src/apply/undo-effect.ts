import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { compareAfterImage, knownFromImage } from './after-image.ts'
import type { ApplyOptions } from './apply-effect.ts'
import { refuseConflicts } from './conflicts.ts'
import { Journal } from './journal.ts'
import { rollBack } from './roll-back.ts'

/**
 * Takes an applied effect back: every path is what it was before, deleted files with their inodes. Refused with `effect_conflict`,
 * nothing done, when anything was changed since; `not_found` when its journal is not kept any more.
 */
export async function undoEffect(effectId: string, options: ApplyOptions): Promise<{ readonly undone: number }> {
  const journal = /^[A-Za-z0-9_-]{1,64}$/.test(effectId) ? Journal.open(join(options.journals, effectId)) : undefined
  const steps = journal?.isMarked('applied') === true ? journal.readPlan() : undefined
  if (journal === undefined || steps === undefined) {
    journal?.[Symbol.dispose]()
    throw new CmdopError(
      'not_found',
      `No applied effect ${JSON.stringify(effectId)} is kept; see \`cmdop effects list\`.`,
    )
  }
  try {
    const image = journal.readMark('applied')
    refuseConflicts(compareAfterImage(journal, steps, image))
    options.onStep?.('undoing')
    await journal.mark('undoing')
    const left = await rollBack(journal, steps, { onStep: options.onStep, known: knownFromImage(image) })
    refuseConflicts(left.map((path) => ({ path, why: 'was changed while it was taken back, and left alone' })))
    options.onStep?.('undone')
    await journal.remove()
    return { undone: steps.length }
  } finally {
    journal[Symbol.dispose]()
  }
}
