import { hash, randomUUID } from 'node:crypto'
import { canonicalJson } from '@cmdop/protocol'
import type { FleetClient } from '../fleet-client.ts'
import { assertApprovable } from '../gates/create-gate.ts'
import { approvalOf } from '../gates/fleet-approval.ts'
import { carryOut } from '../ledger/ledgered-run.ts'
import type { RunPlan } from '../ledger/run-plan.ts'
import { FleetExecution } from '../run/fleet-execution.ts'
import { type FleetOptions, instantOf, planOf } from '../run/fleet-options.ts'
import type { FleetMachine, FleetRow } from '../run/fleet-row.ts'
import { goOnWith } from './go-on-with.ts'
import type { FleetKind } from './kind.ts'

/** A run that is to begin. */
export interface RunToBegin<Result, Given> {
  readonly kind: FleetKind<Result, Given>
  /** What it is for, for people. */
  readonly title: string
  /** The machines that are meant. */
  readonly find: (signal: AbortSignal) => Promise<readonly FleetMachine[]>
  /** What this kind does on them, as the ledger keeps it. */
  readonly planFor: (machines: readonly FleetMachine[], signal: AbortSignal) => object | Promise<object>
}

/** Begins a run: its plan is written down, then carried out as whoever goes on with it would. */
export function beginRun<Result, Given>(
  client: FleetClient,
  { kind, title, find, planFor }: RunToBegin<Result, Given>,
  options: Given & FleetOptions<Result>,
): FleetExecution<Result> {
  const { runId = randomUUID(), check } = options
  return new FleetExecution(
    runId,
    async (emit, signal) => {
      const machines = await find(signal)
      const plan = planOf(machines, options)
      const common = JSON.parse(JSON.stringify(commonPlan(options))) as RunPlan
      const written = { ...JSON.parse(JSON.stringify(await planFor(machines, signal))), ...common }
      const opened = await kind.open(written, options)
      assertApprovable(opened)
      const targets = plan.waves.flatMap((wave, index) => wave.map(({ id }) => ({ machineId: id, wave: index + 1 })))
      const planDigest = hash('sha256', canonicalJson({ plan: written, targets }))
      const create = { runId, kind: kind.name, title: title.slice(0, 256), plan: written, planDigest, targets }
      const { existed, ...claimed } = await client.fleetRuns.create(create, { signal })
      // Whoever began it may have come some way with it.
      if (existed) return goOnWith(client, runId, { opened, retry: undefined, check, emit, signal })
      const { timeoutMs, retries } = plan
      const done = new Map<string, FleetRow<Result>>()
      const site = { client, runId, timeoutMs, retries, done, generationOf: () => 0, resumedFrom: () => undefined }
      return carryOut({ client, claimed, opened, site, plan, check, done, again: false, emit, signal })
    },
    options.signal,
  )
}

/** How the run goes over its machines, as the ledger keeps it. */
function commonPlan(options: FleetOptions<never>): RunPlan {
  const { concurrency, maxFailures = options.waves === undefined ? undefined : 0 } = options
  const { timeoutMs, retries, bakeMs, check, delivery, queue } = options
  const notAfter = options.notAfter === undefined ? undefined : instantOf(options.notAfter)
  const approval = approvalOf(options.approval)
  const about = { concurrency, maxFailures, timeoutMs, retries, bakeMs, delivery, notAfter, queue, approval }
  return { version: 1, ...about, hasCheck: check !== undefined }
}
