import { applyEffect } from '../apply/apply-effect.ts'
import { recover } from '../apply/recover.ts'
import { undoEffect } from '../apply/undo-effect.ts'
import type { View } from '../view.ts'

/** What the process does, and before which write to the disk it dies. */
export interface ApplyRequest {
  readonly action: 'apply' | 'undo' | 'recover'
  readonly view: View
  readonly hash: string
  readonly journals: string
  readonly killAt: number
}

const { action, view, hash, journals, killAt } = JSON.parse(process.argv[2] ?? '') as ApplyRequest
let steps = 0
const onStep = () => {
  if (++steps === killAt) process.kill(process.pid, 'SIGKILL')
}
if (action === 'apply') await applyEffect(view, hash, { journals, onStep })
else if (action === 'undo') await undoEffect(view.id, { journals, onStep })
else await recover({ journals, onStep })
