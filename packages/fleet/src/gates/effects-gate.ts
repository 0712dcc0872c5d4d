import { CmdopError, type EffectDetails, effectLikeness, type EffectSummary, toCmdopError } from '@cmdop/protocol'
import pLimit from 'p-limit'
import type { Done, Job, JobContext, WaveGate } from '../run/conduct.ts'
import type { FleetMachine } from '../run/fleet-row.ts'
import type { Window } from '../run/window.ts'
import type { ApprovedCalls } from './approved-calls.ts'
import { type Asking, askPeople } from './ask-people.ts'

/** Effects that people are asked about at once: the relay holds 200 questions of one principal, who may have other runs. */
const ASKED_AT_ONCE = 8

/** What is done in a view of a machine first, and then to the machine, exactly. */
export interface EffectsWork<Result> {
  /** Does it in a view, of which nothing reaches the machine. */
  readonly dryRun: Job<Result>
  /** What that would change. */
  effectOf(result: Result): EffectSummary | null
  read(machine: FleetMachine, effectId: string, signal: AbortSignal): Promise<EffectDetails>
  /** Puts it in place, and gives what came of it. Throws `effect_conflict` where the machine is not as it was. */
  apply(machine: FleetMachine, result: Result, options: { approvalId: string; signal: AbortSignal }): Promise<Result>
  /** Nothing of it is wanted any more. */
  discard(machine: FleetMachine, effectId: string): Promise<void>
}

/** What a dry run came to on one machine, if there is something to apply. */
interface Shown<Result> {
  readonly machine: FleetMachine
  readonly result: Result
  readonly effect: EffectSummary
  /** Equal for machines on which the same would change; undefined: it is like no other. */
  readonly likeness: string | undefined
}

type Kept<Result> = Map<string, Done<Result> | CmdopError>

/**
 * Everyone of a wave does it in a view first; people are asked once for each different effect, and exactly that is applied. Where a
 * dry run fails, or changes nothing, that is how it ended there.
 */
export function effectsGate<Result>(
  asking: Asking & { readonly approved: ApprovedCalls },
  { work, window }: { readonly work: EffectsWork<Result>; readonly window: Window },
): { readonly job: Job<Result>; readonly gate: WaveGate<Result> } {
  const results = new Map<string, Result>()
  const gate: WaveGate<Result> = {
    open: async ({ wave, machines }, context) => {
      const kept: Kept<Result> = new Map()
      const look = (machine: FleetMachine) => shown(work, machine, { context, kept })
      const all = await Promise.all(machines.map((machine) => window(machine.labels, () => look(machine))))
      const signal = AbortSignal.any([context.signal, context.leave])
      const groups = groupsOf(all.filter((each) => each !== undefined))
      const asked = pLimit(ASKED_AT_ONCE)
      const ask = async (group: readonly Shown<Result>[], index: number) => {
        const what = `effect ${index + 1} of ${groups.length} in wave ${wave}`
        const { approved, leftOut, refusal } = await askAbout(asking, group, { what, signal })
        for (const { machine, result, effect } of group) {
          const why = leftOut.get(machine.id) ?? refusal
          if (why === undefined && approved !== undefined) {
            asking.approved.allow([machine.id], approved)
            results.set(machine.id, result)
          } else if (why !== undefined) {
            kept.set(machine.id, why)
            await work.discard(machine, effect.effectId)
          }
        }
      }
      try {
        await asked.map(groups, ask)
      } finally {
        // Where one could not be asked the wave does not begin: nobody is asked about the others.
        asked.clearQueue()
      }
      return { kept }
    },
  }
  const job: Job<Result> = {
    run: async (machine, { signal }) => {
      const [result, approvalId] = [results.get(machine.id), asking.approved.of(machine)]
      if (result === undefined || approvalId === undefined)
        throw new CmdopError(
          'approval_required',
          'Nobody has approved an effect on this machine; nothing of it was applied.',
        )
      return { outcome: 'ok', result: await work.apply(machine, result, { approvalId, signal }) }
    },
  }
  return { job, gate }
}

/** What a dry run would change there; undefined: there is nothing to apply, and `kept` has how it ended. */
async function shown<Result>(
  work: EffectsWork<Result>,
  machine: FleetMachine,
  { context, kept }: { readonly context: Omit<JobContext, 'attempt'>; readonly kept: Kept<Result> },
): Promise<Shown<Result> | undefined> {
  try {
    if (context.signal.aborted || context.leave.aborted) return undefined
    const done = await work.dryRun.run(machine, { ...context, attempt: 1 })
    const { result } = done
    const effect = result === null ? null : work.effectOf(result)
    if (done.outcome !== 'ok' || result === null || effect === null || isEmpty(effect)) {
      kept.set(machine.id, done)
      if (effect?.state === 'pending') await work.discard(machine, effect.effectId)
      return undefined
    }
    const { info, list } = await work.read(machine, effect.effectId, context.signal)
    if (info.state === 'applied') {
      // A script before this one has come so far.
      kept.set(machine.id, done)
      return undefined
    }
    return { machine, result, effect, likeness: list === null ? undefined : effectLikeness(list) }
  } catch (cause) {
    kept.set(machine.id, toCmdopError(cause, 'server', 'The script met a fault of its own.'))
    return undefined
  }
}

function isEmpty({ counts }: EffectSummary): boolean {
  return Object.values(counts).every((count) => count === 0)
}

/** The largest first. */
function groupsOf<Result>(all: readonly Shown<Result>[]): Shown<Result>[][] {
  const groups = Map.groupBy(all, ({ likeness, machine }) => likeness ?? machine.id)
  return Array.from(groups.values()).sort((one, other) => other.length - one.length)
}

function askAbout(
  asking: Asking,
  group: readonly Shown<unknown>[],
  { what, signal }: { readonly what: string; readonly signal: AbortSignal },
) {
  const calls = group.map(({ machine, effect: { effectId, hash } }) => ({
    machine,
    method: 'effect.apply',
    params: { effectId, hash },
  }))
  const many = group.length === 1 ? '1 machine' : `${group.length} machines`
  return askPeople(asking, { what: `${what}, ${many}`, calls, signal })
}
