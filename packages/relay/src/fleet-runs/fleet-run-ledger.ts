import {
  canonicalJson,
  CmdopError,
  type FleetRunAppend,
  type FleetRunClaim,
  type FleetRunClaimed,
  type FleetRunCreate,
  type FleetRunCreated,
  type FleetRunSummary,
  isCmdopError,
  MAX_FLEET_PLAN_BYTES,
  MAX_FLEET_ROW_BYTES,
} from '@cmdop/protocol'
import { hash } from 'node:crypto'
import type { Caller } from '../auth/authenticate.ts'
import type { z } from 'zod'
import type { Bus } from '../bus/bus.ts'
import type { FleetRunChange, FleetRunRow } from '../store/fleet-run-store.ts'
import type { Store } from '../store/store.ts'
import * as transitions from './run-transitions.ts'

type Writer = Pick<Caller, 'fleetId' | 'principalId' | 'reach'>

export interface FleetRunLedgerOptions {
  readonly store: Pick<Store, 'fleetRuns' | 'machines'>
  readonly bus: Bus
  /** What people were asked for a run, and have approved, is good for nothing any more. */
  readonly voidApprovals: (run: { fleetId: string; runId: string; until?: string }) => Promise<void>
}

/** What each fleet run is for, and how it ended on each machine: written by one script at a time, and kept. */
export class FleetRunLedger {
  readonly #store: Pick<Store, 'fleetRuns' | 'machines'>
  readonly #bus: Bus
  readonly #voidApprovals: FleetRunLedgerOptions['voidApprovals']

  constructor({ store, bus, voidApprovals }: FleetRunLedgerOptions) {
    this.#store = store
    this.#bus = bus
    this.#voidApprovals = voidApprovals
  }

  /**
   * Throws `validation`, `not_found` for a machine of another fleet, `permission` for more machines than the caller may reach, and
   * `conflict` when there is another run of that id.
   */
  async create({ fleetId, principalId, reach }: Writer, run: FleetRunCreate): Promise<FleetRunCreated> {
    const { runId: id, kind, title, planDigest, targets } = run
    assertReach(reach, targets.length)
    const plan = canonicalJson(run.plan)
    if (Buffer.byteLength(plan) > MAX_FLEET_PLAN_BYTES)
      throw new CmdopError('frame_too_large', `Expected a plan of at most ${MAX_FLEET_PLAN_BYTES} bytes.`)
    if (planDigest !== hash('sha256', canonicalJson({ plan: run.plan, targets })))
      throw new CmdopError(
        'validation',
        'Expected planDigest to be the SHA-256 of the canonical JSON of plan and targets.',
      )
    const at = new Date().toISOString()
    const about = { id, fleetId, principalId, kind, title, plan, planDigest, createdAt: at, updatedAt: at }
    const row: FleetRunRow = {
      ...about,
      state: 'running',
      stop: null,
      wait: null,
      continuedWave: 0,
      generation: 0,
      epoch: 1,
      cancelRequestedAt: null,
    }
    const names = await this.#namesOf(fleetId, targets)
    const rest = { generation: 0, outcome: null, row: null }
    const rows = targets.map(({ machineId, wave }, position) => {
      const name = names.get(machineId) ?? ''
      return { runId: id, position, machineId, name, wave, ...rest }
    })
    try {
      await this.#store.fleetRuns.create(row, rows)
    } catch (error) {
      if (!isCmdopError(error) || error.code !== 'conflict') throw error
      // Sent again, after the answer was lost or the script killed; or an id that is taken.
      const known = await this.#store.fleetRuns.get(id)
      if (known?.principalId !== principalId || known.fleetId !== fleetId || known.planDigest !== planDigest)
        throw new CmdopError('conflict', 'There is a fleet run of this id already, of something else; use a new id.', {
          cause: error,
        })
      if (known.state !== 'running' && known.state !== 'paused')
        throw new CmdopError('conflict', `The fleet run is ${known.state}; go on with it by resume.`, { cause: error })
      return { ...(await this.#claimed(known)), existed: true }
    }
    return { ...(await this.#claimed(row)), existed: false }
  }

  /** The script goes on with it; whoever wrote before writes no more. Throws `not_found`, `permission`, `conflict` where it was cancelled. */
  async claim(
    writer: Writer,
    runId: string,
    { retry, again }: z.output<typeof FleetRunClaim>,
  ): Promise<FleetRunClaimed> {
    await this.#own(writer, runId)
    const at = new Date().toISOString()
    const row = await this.#store.fleetRuns.claim(runId, { at, again: retry }, (run) =>
      transitions.claimed(run, { isAgain: again, isRetry: retry !== undefined }),
    )
    if (row === undefined) throw noSuchFleetRun()
    await this.#tell(row)
    return this.#claimed(row)
  }

  /** Throws `not_found`, `permission`, and `conflict` when another script has claimed it. */
  async record(writer: Writer, runId: string, { rows, ...progress }: FleetRunAppend): Promise<FleetRunRow> {
    await this.#own(writer, runId)
    const written = rows.map(({ row, ...about }) => ({ ...about, row: JSON.stringify(row) }))
    const large = written.find(({ row }) => Buffer.byteLength(row) > MAX_FLEET_ROW_BYTES)
    if (large !== undefined)
      throw new CmdopError('frame_too_large', `Expected rows of at most ${MAX_FLEET_ROW_BYTES} bytes.`)
    const at = new Date().toISOString()
    const { epoch, state, stop, wait } = progress
    const isPlain = state === undefined && stop === undefined && wait === undefined
    const decide = isPlain ? undefined : (run: FleetRunRow) => transitions.recorded(run, progress)
    const after = await this.#store.fleetRuns.record(runId, { epoch, at, rows: written }, decide)
    if (after === undefined) throw transitions.writtenByAnother()
    if (progress.state !== undefined) await this.#end(after)
    return after
  }

  /**
   * Nothing of it begins from now on, whatever its script does and people approve. The script ends what runs once it sees that: with
   * the next row it writes, or when it looks. Throws `not_found`.
   */
  async cancel({ fleetId }: Pick<Caller, 'fleetId'>, runId: string): Promise<FleetRunSummary> {
    const after = await this.#change(fleetId, runId, (run, at) => transitions.cancelled(run, at))
    if (after.state === 'cancelled') await this.#end(after)
    return this.summary(after)
  }

  /** It begins no machine once its script sees that, until a person continues it. Throws `not_found`, `conflict`. */
  async pause(
    { fleetId, principal }: Pick<Caller, 'fleetId' | 'principal'>,
    runId: string,
    reason: string,
  ): Promise<FleetRunSummary> {
    const why = reason === '' ? `${principal.name} has paused it.` : `${principal.name} has paused it: ${reason}`
    return this.summary(await this.#change(fleetId, runId, (run) => transitions.paused(run, why)))
  }

  /** A person lets it go on. Throws `not_found`, `conflict` where it waits for nobody. */
  async continue({ fleetId }: Pick<Caller, 'fleetId'>, runId: string): Promise<FleetRunSummary> {
    return this.summary(await this.#change(fleetId, runId, transitions.continued))
  }

  /** Throws `not_found`, also for a run of another fleet. */
  async find(fleetId: string, runId: string): Promise<FleetRunRow> {
    const row = await this.#store.fleetRuns.get(runId)
    if (row?.fleetId !== fleetId) throw noSuchFleetRun()
    return row
  }

  /** With the plan for whoever may go on with it. Throws `not_found`. */
  async details({ fleetId, principalId }: Pick<Writer, 'fleetId' | 'principalId'>, runId: string) {
    const row = await this.find(fleetId, runId)
    return { ...(await this.summary(row)), plan: row.principalId === principalId ? planOf(row) : null }
  }

  async summary(run: FleetRunRow): Promise<FleetRunSummary> {
    const { id: runId, fleetId, principalId, kind, title, planDigest, state, stop, generation } = run
    const { wait, continuedWave, cancelRequestedAt, createdAt, updatedAt } = run
    const { targets, ...counts } = await this.#store.fleetRuns.counts(runId)
    const about = { runId, fleetId, principalId, kind, title, planDigest, state, stop, generation, targets, counts }
    return { ...about, wait, continuedWave, cancelRequestedAt, createdAt, updatedAt }
  }

  async #claimed(row: FleetRunRow): Promise<FleetRunClaimed> {
    return { epoch: row.epoch, run: await this.summary(row), plan: planOf(row) }
  }

  async #change(
    fleetId: string,
    runId: string,
    decide: (run: FleetRunRow, at: string) => FleetRunChange,
  ): Promise<FleetRunRow> {
    await this.find(fleetId, runId)
    const at = new Date().toISOString()
    const after = await this.#store.fleetRuns.change(runId, at, (run) => decide(run, at))
    if (after === undefined) throw noSuchFleetRun()
    return after
  }

  /** What was approved is void from here on; of a run that was cancelled calls are refused before, so that nothing comes between. */
  async #end(run: FleetRunRow): Promise<void> {
    await this.#tell(run)
    const { fleetId, id: runId, state, updatedAt } = run
    // Nobody goes on with one that was cancelled.
    await this.#voidApprovals({ fleetId, runId, ...(state === 'cancelled' ? {} : { until: updatedAt }) })
  }

  async #tell({ id: runId, state }: FleetRunRow): Promise<void> {
    await this.#bus.publish({ type: 'fleet-run-changed', runId, isCancelled: state === 'cancelled' })
  }

  async #own({ fleetId, principalId }: Pick<Writer, 'fleetId' | 'principalId'>, runId: string): Promise<void> {
    const row = await this.find(fleetId, runId)
    if (row.principalId !== principalId)
      throw new CmdopError('permission', 'The fleet run is of another principal; only that one goes on with it.')
  }

  /** Throws `validation` for a machine that is there twice, `not_found` for one that the fleet has not. */
  async #namesOf(
    fleetId: string,
    targets: readonly { readonly machineId: string }[],
  ): Promise<ReadonlyMap<string, string>> {
    const ids = new Set<string>()
    for (const { machineId } of targets) {
      if (ids.has(machineId)) throw new CmdopError('validation', `Expected each machine once, got ${machineId} twice.`)
      ids.add(machineId)
    }
    const names = await this.#store.machines.namesOf(fleetId, Array.from(ids))
    for (const machineId of ids)
      if (!names.has(machineId)) throw new CmdopError('not_found', `There is no machine ${machineId} in your fleet.`)
    return names
  }
}

function planOf({ plan }: FleetRunRow): Record<string, unknown> {
  return JSON.parse(plan) as Record<string, unknown>
}

/** How many machines a key, and those that it came from, may have in one run. */
function assertReach(reach: Caller['reach'], machines: number): void {
  const max = Math.min(...reach.map((each) => each.max))
  if (machines <= max) return
  throw new CmdopError(
    'permission',
    `Your key may reach at most ${max} machines in one run, and this one is over ${machines}. Choose fewer, or ask for a key with a higher --max-targets.`,
    { details: { maxTargetsPerRun: max, targets: machines } },
  )
}

export function noSuchFleetRun(): CmdopError {
  return new CmdopError('not_found', 'There is no such fleet run in your fleet.')
}
