import { CmdopError, type FleetRunAppend, type FleetRunWait } from '@cmdop/protocol'
import type { FleetRunChange, FleetRunRow } from '../store/fleet-run-store.ts'

/**
 * Somebody goes on with it: as it stands, or again, which somebody wants whatever became of it. `isRetry`: some machines are to be
 * done again. Throws `conflict` for one that was cancelled, unless it is done again.
 */
export function claimed(
  run: FleetRunRow,
  { isAgain, isRetry }: { readonly isAgain: boolean; readonly isRetry: boolean },
): FleetRunChange {
  if (run.state === 'cancelled' && !isAgain)
    throw new CmdopError(
      'conflict',
      'The fleet run was cancelled; do it again on machines that you name by their outcomes.',
    )
  const wait = run.wait?.for === 'person' && !isAgain ? run.wait : null
  return {
    state: wait === null ? 'running' : 'paused',
    wait,
    epoch: run.epoch + 1,
    generation: run.generation + (isRetry ? 1 : 0),
    stop: null,
    cancelRequestedAt: null,
    // What a person has let go on was what there was to see then.
    ...(isAgain ? { continuedWave: 0 } : {}),
  }
}

/** Its script says how it stands. That somebody has cancelled or paused it stays. Throws `conflict` when another script has claimed it. */
export function recorded(run: FleetRunRow, { epoch, state, stop, wait }: Omit<FleetRunAppend, 'rows'>): FleetRunChange {
  if (run.epoch !== epoch) throw writtenByAnother()
  if (run.state === 'cancelled') return {}
  const why = stop === undefined ? {} : { stop }
  if (state !== undefined) return { ...why, state, wait: null }
  const now = waitAfter(run, wait)
  return { ...why, wait: now, state: now !== null ? 'paused' : run.state === 'paused' ? 'running' : run.state }
}

/** What a script is told that goes on with a run after another one has claimed it. */
export function writtenByAnother(): CmdopError {
  return new CmdopError('conflict', 'Another script goes on with this fleet run; this one has to stop.')
}

/** Nothing of it begins any more. Nothing changes where it came to its end. */
export function cancelled(run: FleetRunRow, at: string): FleetRunChange {
  if (run.state === 'ended' || run.state === 'cancelled') return {}
  const stop = { reason: 'cancelled' as const, message: 'The run was cancelled.' }
  return { state: 'cancelled', stop, wait: null, cancelRequestedAt: at }
}

/** It begins no machine until a person continues it. Throws `conflict` for one that is over, or waits for an approval. */
export function paused(run: FleetRunRow, reason: string): FleetRunChange {
  if (run.wait?.for === 'person') return {}
  if (run.wait?.for === 'approval')
    throw new CmdopError(
      'conflict',
      `It begins nothing before people have approved ${run.wait.approvalId}; deny that, or cancel the run.`,
    )
  if (run.state !== 'running') throw new CmdopError('conflict', `The fleet run is ${run.state} already.`)
  return { state: 'paused', wait: { for: 'person', wave: null, reason } }
}

/** A person lets it go on. Throws `conflict` where it does not wait for that. */
export function continued(run: FleetRunRow): FleetRunChange {
  const { wait, continuedWave } = run
  if (wait?.for === 'person')
    return { state: 'running', wait: null, continuedWave: Math.max(continuedWave, wait.wave ?? 0) }
  throw new CmdopError(
    'conflict',
    wait === null
      ? `The fleet run is ${run.state}, and does not wait to be continued.`
      : `The fleet run waits for people who approve ${wait.approvalId}.`,
  )
}

/** What its script waits for does not take the place of what people want; they continue it themselves. */
function waitAfter(
  { wait: before, continuedWave }: FleetRunRow,
  wait: FleetRunWait | null | undefined,
): FleetRunWait | null {
  if (wait === undefined || before?.for === 'person') return before
  // Sent again, after a person has continued it.
  if (wait?.for === 'person' && wait.wave !== null && wait.wave <= continuedWave) return null
  return wait
}
