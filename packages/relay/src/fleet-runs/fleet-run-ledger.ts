import {
  canonicalJson,
  CmdopError,
  type FleetRunAppend,
  type FleetRunClaim,
  type FleetRunClaimed,
  type FleetRunCreate,
  type FleetRunSummary,
  isCmdopError,
  MAX_FLEET_PLAN_BYTES,
  MAX_FLEET_ROW_BYTES,
} from '@cmdop/protocol'
import { hash } from 'node:crypto'
import type { Caller } from '../auth/authenticate.ts'
import type { FleetRunRow } from '../store/fleet-run-store.ts'
import type { MachineRow, Store } from '../store/store.ts'

type Writer = Pick<Caller, 'fleetId' | 'principalId'>

/** What each fleet run is for, and how it ended on each machine: written by one script at a time, and kept. */
export class FleetRunLedger {
  readonly #store: Pick<Store, 'fleetRuns' | 'machines'>

  constructor(store: Pick<Store, 'fleetRuns' | 'machines'>) {
    this.#store = store
  }

  /** Throws `validation`, `not_found` for a machine of another fleet, and `conflict` when there is another run of that id. */
  async create({ fleetId, principalId }: Writer, run: FleetRunCreate): Promise<FleetRunClaimed> {
    const { runId: id, kind, title, planDigest, targets } = run
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
      generation: 0,
      epoch: 1,
      cancelRequestedAt: null,
    }
    const machines = await this.#machinesOf(fleetId, targets)
    const rest = { generation: 0, outcome: null, row: null }
    const rows = targets.map(({ machineId, wave }, position) => {
      const name = machines.get(machineId)?.name ?? ''
      return { runId: id, position, machineId, name, wave, ...rest }
    })
    try {
      await this.#store.fleetRuns.create(row, rows)
    } catch (error) {
      if (!isCmdopError(error) || error.code !== 'conflict') throw error
      // Sent again, after the answer was lost; or an id that is taken.
      const known = await this.#store.fleetRuns.get(id)
      if (known?.principalId !== principalId || known.fleetId !== fleetId || known.planDigest !== planDigest)
        throw new CmdopError('conflict', 'There is a fleet run of this id already, of something else; use a new id.', {
          cause: error,
        })
      if (known.epoch !== 1 || known.state !== 'running')
        throw new CmdopError('conflict', `The fleet run is ${known.state}; go on with it by resume.`, { cause: error })
    }
    return this.#claimed(row)
  }

  /** The script goes on with it; whoever wrote before writes no more. Throws `not_found`, `permission`. */
  async claim(writer: Writer, runId: string, { retry }: FleetRunClaim): Promise<FleetRunClaimed> {
    await this.#own(writer, runId)
    const row = await this.#store.fleetRuns.claim(runId, { at: new Date().toISOString(), retry })
    if (row === undefined) throw noSuchFleetRun()
    return this.#claimed(row)
  }

  /** Throws `not_found`, `permission`, and `conflict` when another script has claimed it. */
  async record(writer: Writer, runId: string, { epoch, rows, state, stop }: FleetRunAppend): Promise<FleetRunRow> {
    await this.#own(writer, runId)
    const written = rows.map(({ row, ...about }) => ({ ...about, row: JSON.stringify(row) }))
    const large = written.find(({ row }) => Buffer.byteLength(row) > MAX_FLEET_ROW_BYTES)
    if (large !== undefined)
      throw new CmdopError('frame_too_large', `Expected rows of at most ${MAX_FLEET_ROW_BYTES} bytes.`)
    const at = new Date().toISOString()
    const after = await this.#store.fleetRuns.record(runId, { epoch, at, rows: written, state, stop })
    if (after !== undefined) return after
    throw new CmdopError('conflict', 'Another script goes on with this fleet run; this one has to stop.')
  }

  /** Somebody wants it to end. Its script sees that with the next row it writes, or when it looks. Throws `not_found`. */
  async cancel({ fleetId }: Pick<Caller, 'fleetId'>, runId: string): Promise<FleetRunSummary> {
    await this.find(fleetId, runId)
    await this.#store.fleetRuns.requestCancel(runId, new Date().toISOString())
    return this.summary(await this.find(fleetId, runId))
  }

  /** Throws `not_found`, also for a run of another fleet. */
  async find(fleetId: string, runId: string): Promise<FleetRunRow> {
    const row = await this.#store.fleetRuns.get(runId)
    if (row?.fleetId !== fleetId) throw noSuchFleetRun()
    return row
  }

  async summary(run: FleetRunRow): Promise<FleetRunSummary> {
    const { id: runId, fleetId, principalId, kind, title, planDigest, state, stop, generation } = run
    const { cancelRequestedAt, createdAt, updatedAt } = run
    const { targets, ...counts } = await this.#store.fleetRuns.counts(runId)
    const about = { runId, fleetId, principalId, kind, title, planDigest, state, stop, generation, targets, counts }
    return { ...about, cancelRequestedAt, createdAt, updatedAt }
  }

  async #claimed(row: FleetRunRow): Promise<FleetRunClaimed> {
    const plan = JSON.parse(row.plan) as Record<string, unknown>
    return { epoch: row.epoch, run: await this.summary(row), plan }
  }

  async #own({ fleetId, principalId }: Writer, runId: string): Promise<void> {
    const row = await this.find(fleetId, runId)
    if (row.principalId !== principalId)
      throw new CmdopError('permission', 'The fleet run is of another principal; only that one goes on with it.')
  }

  async #machinesOf(
    fleetId: string,
    targets: readonly { readonly machineId: string }[],
  ): Promise<ReadonlyMap<string, MachineRow>> {
    const found = new Map<string, MachineRow>()
    for (const { machineId } of targets) {
      if (found.has(machineId))
        throw new CmdopError('validation', `Expected each machine once, got ${machineId} twice.`)
      const machine = await this.#store.machines.get(machineId)
      if (machine?.fleetId !== fleetId || machine.disabledAt !== null)
        throw new CmdopError('not_found', `There is no machine ${machineId} in your fleet.`)
      found.set(machineId, machine)
    }
    return found
  }
}

function noSuchFleetRun(): CmdopError {
  return new CmdopError('not_found', 'There is no such fleet run in your fleet.')
}
