import type { FleetRunKind } from '@cmdop/protocol'
import type { FleetClient } from '../fleet-client.ts'
import type { RunPlan } from '../ledger/run-plan.ts'
import type { AskedCall } from '../gates/ask-people.ts'
import type { EffectsWork } from '../gates/effects-gate.ts'
import type { Job } from '../run/conduct.ts'
import type { FleetMachine, FleetRow } from '../run/fleet-row.ts'

/** Where and when a job works. */
export interface JobSite<Result> {
  readonly client: FleetClient
  readonly runId: string
  /** Milliseconds that each machine has. */
  readonly timeoutMs: number
  /** Tries after the first one. */
  readonly retries: number
  /** How often the machine was asked for anew by `retry`. */
  readonly generationOf: (machine: FleetMachine) => number
  /** The approval with which the call on a machine runs; undefined: nobody was asked. */
  readonly approvalOf: (machine: FleetMachine) => string | undefined
  /**
   * From when on a script before this one may have begun on the machine, milliseconds since 1970: the machine is asked first what it
   * did. Undefined: none was there.
   */
  readonly resumedFrom: (machine: FleetMachine) => number | undefined
  /** How it ended on machines that are done, by their ids. */
  readonly done: ReadonlyMap<string, FleetRow<Result>>
}

/** A plan that was read, with what is given beside it. */
export interface OpenedPlan<Result> {
  readonly plan: RunPlan
  /** The call on a machine as people approve it, exactly. Absent where what is done cannot be known before. */
  readonly callOf?: (machine: FleetMachine) => Omit<AskedCall, 'machine'>
  /** The same in a view of the machine, of which nothing reaches it, and that. Absent where there is no such thing. */
  effects?(site: JobSite<Result>): EffectsWork<Result>
  job(site: JobSite<Result>): Job<Result> | Promise<Job<Result>>
}

/**
 * What is done on the machines of a fleet run. `Given`: what a script gives beside the plan, when the run begins and again when it goes
 * on, as no ledger keeps it. Beginning, going on and retrying are the same for every kind; see `beginRun` and
 * `goOnWithRun`.
 */
export interface FleetKind<Result, Given> {
  readonly name: FleetRunKind
  /**
   * Reads a plan of this kind. Throws `unsupported` for one of another version, `validation` unless what is given is what the run
   * began with.
   */
  open(plan: unknown, given: Given): OpenedPlan<Result> | Promise<OpenedPlan<Result>>
}
