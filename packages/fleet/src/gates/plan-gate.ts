import { CmdopError } from '@cmdop/protocol'
import type { Done, GateVerdict, Job, WaveAhead, WaveGate } from '../run/conduct.ts'
import type { FleetMachine } from '../run/fleet-row.ts'
import type { ApprovedCalls } from './approved-calls.ts'
import { type AskedCall, type Asking, askPeople } from './ask-people.ts'

const NOT_BEGUN: Done<never> = { outcome: 'skipped', result: null }

export interface PlanGateOptions extends Asking {
  readonly approved: ApprovedCalls
  /** The call on a machine, exactly. */
  readonly callOf: (machine: FleetMachine) => Omit<AskedCall, 'machine'>
}

/** People approve what runs on all machines, before anything does, or on those of each wave, before it begins. */
export function planGate<Result>(options: PlanGateOptions): WaveGate<Result> {
  const { approval, approved } = options
  return {
    open: async ({ wave, machines, ahead }, { signal, leave }) => {
      const asked = askedOf(options, { wave, machines, ahead })
      if (asked.length === 0) return { kept: new Map() }
      const what = approval.at === 'before' ? countOf(asked) : `wave ${wave}, ${countOf(asked)}`
      const over = AbortSignal.any([signal, leave])
      const calls = asked.map((machine) => ({ machine, ...options.callOf(machine) }))
      const answer = await askPeople(options, { what, calls, signal: over })
      const { refusal, leftOut } = answer
      const rest = asked.filter(({ id }) => !leftOut.has(id))
      if (answer.approved !== undefined)
        approved.allow(
          rest.map(({ id }) => id),
          answer.approved,
        )
      return verdictOf(leftOut, rest, refusal)
    },
  }
}

/**
 * People approve each machine before it begins; a machine that is denied holds up no other one. Nobody is waited for once the run has
 * stopped, and what they approved begins only where it still may.
 */
export function machineGate<Result>(job: Job<Result>, options: PlanGateOptions): Job<Result> {
  const { approved } = options
  return {
    ...job,
    run: async (machine, context) => {
      if (!approved.holds(machine)) {
        const { stopped } = context
        const calls = [{ machine, ...options.callOf(machine) }]
        const answer = await askPeople(options, { what: machine.name, calls, signal: stopped }).catch(unless(stopped))
        if (answer === undefined) return NOT_BEGUN
        const why = answer.refusal ?? answer.leftOut.get(machine.id)
        if (why !== undefined) throw why
        if (answer.approved !== undefined) approved.allow([machine.id], answer.approved)
        if (!(await context.mayBegin())) return NOT_BEGUN
      }
      return job.run(machine, context)
    },
  }
}

/** Throws the error again, unless it came of the signal. */
function unless(signal: AbortSignal): (error: unknown) => undefined {
  return (error) => {
    if (!signal.aborted) throw error
  }
}

function askedOf({ approval, approved }: PlanGateOptions, { wave, machines, ahead }: WaveAhead): FleetMachine[] {
  if (approval.waves !== undefined && !approval.waves.includes(wave)) return []
  // What was approved before the first wave was approved for all of them, until it expires.
  if (machines.every((machine) => approved.holds(machine))) return []
  return (approval.at === 'before' ? ahead : machines).filter((machine) => !approved.holds(machine))
}

function verdictOf<Result>(
  leftOut: ReadonlyMap<string, CmdopError>,
  rest: readonly FleetMachine[],
  refusal: CmdopError | undefined,
): GateVerdict<Result> {
  if (refusal === undefined) return { kept: leftOut }
  const refused = rest.map(({ id }) => [id, refusal] as const)
  return { kept: new Map([...leftOut, ...refused]), stop: { reason: 'denied', message: refusal.message } }
}

function countOf({ length }: readonly unknown[]): string {
  return length === 1 ? '1 machine' : `${length} machines`
}
