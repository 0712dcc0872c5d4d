import type { FleetRunTarget } from '@cmdop/core'
import type { OutcomeName } from '@cmdop/protocol'
import type { FleetClient } from '../fleet-client.ts'
import { carryOut, type LedgeredRun } from '../ledger/ledgered-run.ts'
import { machineOf, rowOf } from '../ledger/stored-rows.ts'
import type { FleetReport } from '../report/fleet-report.ts'
import { type FleetOptions, settingsOf } from '../run/fleet-options.ts'
import { type FleetMachine, type FleetRow, skipped } from '../run/fleet-row.ts'

interface OpenedRun<Result> extends Pick<LedgeredRun<Result>, 'opened' | 'check' | 'emit' | 'signal'> {
  readonly retry: readonly OutcomeName[] | undefined
}

/** Goes on with a run whose plan was read: claims it, and does what is not done. */
export async function goOnWith<Result>(
  client: FleetClient,
  runId: string,
  { opened, retry, check, emit, signal }: OpenedRun<Result>,
): Promise<FleetReport<Result>> {
  // What may be done twice is done again where nobody knows whether it was.
  const undone: OutcomeName[] = opened.plan.delivery === 'at-least-once' ? ['skipped', 'lost', 'unknown'] : ['skipped']
  const again = retry !== undefined
  const claimed = await client.fleetRuns.claim(runId, { retry: [...(retry ?? undone)], again }, { signal })
  const targets = await Array.fromAsync(client.fleetRuns.targets(runId, { signal }))
  const { waves, done, generations } = await standing<Result>(client, targets, signal)
  // Only what was asked for again, whatever else was never tried.
  if (retry !== undefined)
    for (const [machine, wave] of waves.flatMap((each, index) => each.map((one) => [one, index + 1] as const)))
      if (!done.has(machine.id) && generations.get(machine.id) !== claimed.run.generation)
        done.set(machine.id, skipped(machine, wave))
  const plan = { ...settingsOf(targets.length, opened.plan as FleetOptions<never>), waves }
  const { timeoutMs, retries } = plan
  const generationOf = (machine: FleetMachine) => generations.get(machine.id) ?? 0
  const { generation, createdAt, updatedAt } = claimed.run
  // What it is asked for anew from this claim on has not run before it.
  const resumedFrom = (machine: FleetMachine) =>
    Date.parse(generationOf(machine) === generation ? updatedAt : createdAt)
  const site = { client, runId, timeoutMs, retries, done, generationOf, resumedFrom }
  return carryOut({ client, claimed, opened, site, plan, check, done, again, emit, signal })
}

/** How the run stands: its waves, and what is done. */
async function standing<Result>(client: FleetClient, targets: readonly FleetRunTarget[], signal: AbortSignal) {
  const ids = new Set(targets.map(({ machineId }) => machineId))
  const all = await Array.fromAsync(client.machines.iter({ limit: 500, signal }))
  const known = new Map(all.filter(({ id }) => ids.has(id)).map((machine) => [machine.id, machine]))
  const waves: FleetMachine[][] = []
  const done = new Map<string, FleetRow<Result>>()
  for (const target of targets) {
    const machine = machineOf(target, known)
    const wave = (waves[target.wave - 1] ??= [])
    wave.push(machine)
    const row = rowOf<Result>(target, machine)
    if (row !== undefined) done.set(machine.id, row)
  }
  const generations = new Map(targets.map(({ machineId, generation }) => [machineId, generation]))
  return { waves, done, generations }
}
