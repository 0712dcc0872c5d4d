import type { ApprovalOptions, Machine } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import type { EffectsWork } from '../../gates/effects-gate.ts'
import type { Job } from '../../run/conduct.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { CommandResult } from './exec-job.ts'

/** A command whose effect is looked at before it is applied. */
export function execEffects(
  dryRun: Job<CommandResult>,
  machineOf: (machine: FleetMachine, approval?: ApprovalOptions) => Machine,
): EffectsWork<CommandResult> {
  return {
    dryRun,
    effectOf: ({ effect }) => effect,
    read: (machine, effectId, signal) => effectsOf(machineOf(machine)).get(effectId, { signal }),
    apply: async (machine, result, { approvalId, signal }) => {
      if (result.effect === null) return result
      const { effectId, hash } = result.effect
      const effects = effectsOf(machineOf(machine, { approvalId, wait: false }))
      try {
        const { state } = await effects.apply(effectId, hash, { signal })
        return { ...result, effect: { ...result.effect, state } }
      } catch (error) {
        // The answer may have been lost on its way.
        if (!isCmdopError(error) || error.code !== 'connection') throw error
        const { state } = (await effects.get(effectId, { signal })).info
        if (state !== 'applied') throw error
        return { ...result, effect: { ...result.effect, state } }
      }
    },
    discard: async (machine, effectId) => {
      // What is not discarded now goes with the effects that the machine forgets.
      await effectsOf(machineOf(machine))
        .discard(effectId)
        .catch(() => {})
    },
  }
}

function effectsOf({ effects, name }: Machine): NonNullable<Machine['effects']> {
  if (effects !== undefined) return effects
  throw new TypeError(`Expected effects of ${name}.`)
}
