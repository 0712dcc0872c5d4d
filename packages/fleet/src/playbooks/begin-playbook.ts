import { hash, randomUUID } from 'node:crypto'
import { canonicalJson, CmdopError } from '@cmdop/protocol'
import { machineOf } from '../ledger/stored-rows.ts'
import { Execution } from '../run/execution.ts'
import { findTargets } from '../targets/find-targets.ts'
import type { Playbook, PlaybookExecution, PlaybookRunOptions } from './playbook.ts'
import type { PlaybookClient } from './playbook-client.ts'
import { assertSameSteps, readPlaybookPlan } from './playbook-plan.ts'
import { CANCELLED, decide, decision } from './run/ending.ts'
import { runPlaybook } from './run/playbook-run.ts'
import { StepRecords } from './run/step-records.ts'
import { outlineOf } from './steps/outline.ts'

type Book = Pick<Playbook, 'name' | 'stepsFor'>

/** A run of a playbook begins: it is written down, then gone through. */
export function beginPlaybook(
  client: PlaybookClient,
  { name, stepsFor }: Book,
  { on, inputs = {}, runId = randomUUID(), file, signal }: PlaybookRunOptions<unknown>,
): PlaybookExecution {
  return new Execution(
    runId,
    async (emit, either) => {
      const steps = stepsFor(inputs)
      const machines = await findTargets(on, { client, signal: either })
      const about = { version: 1, playbook: name, inputs, steps: outlineOf(steps), file }
      // What JSON does not have is not kept, and so is not there for whoever goes on.
      const plan = JSON.parse(JSON.stringify(about)) as Record<string, unknown>
      const targets = machines.map(({ id }) => ({ machineId: id, wave: 1 }))
      const planDigest = hash('sha256', canonicalJson({ plan, targets }))
      const create = { runId, kind: 'playbook', title: name, plan, planDigest, targets } as const
      const { existed, ...created } = await client.fleetRuns.create(create, { signal: either })
      // Whoever began it writes no more from now on.
      const claimed = existed ? await claim(client, runId, new StepRecords(client, runId)) : created
      return runPlaybook({ client, claimed, name, steps, machines, emit, signal: either })
    },
    signal,
  )
}

/** How somebody goes on with a run of a playbook. */
export interface PlaybookToGoOnWith {
  /** Gives the playbook that the run began with. `file`: where it stood then, if that is known. */
  readonly load: (began: { readonly playbook: string; readonly file: string | undefined }) => Book | Promise<Book>
  /** Nothing more begins, and what has ended well is undone. Default false. */
  readonly undo?: boolean
  readonly signal?: AbortSignal | undefined
}

/** Goes on with a run of a playbook that is loaded once it is known which one it is. Rejects as `resume` of the playbook. */
export function goOnWithPlaybook(
  client: PlaybookClient,
  runId: string,
  { load, undo = false, signal }: PlaybookToGoOnWith,
): PlaybookExecution {
  return new Execution(
    runId,
    async (emit, either) => {
      const records = new StepRecords(client, runId)
      // All of it is looked at before the run is taken over from whoever may be at it.
      const plan = await planOf(client, runId, either)
      const { name, stepsFor } = await load({ playbook: plan.playbook, file: plan.file })
      const steps = stepsFor(plan.inputs)
      assertSameSteps(plan, { playbook: name, steps: outlineOf(steps) })
      const claimed = await claim(client, runId, records)
      if (undo && (await decision(records)) === undefined) await decide(records, UNDONE)
      const machines = await machinesOf(client, runId, either)
      return runPlaybook({ client, claimed, name, steps, machines, emit, signal: either })
    },
    signal,
  )
}

const UNDONE = { outcome: 'cancelled', message: 'Somebody wants it to be undone.' } as const

/** Nobody takes over what is no playbook, or is somebody else's. */
async function planOf(client: PlaybookClient, runId: string, signal: AbortSignal) {
  const { kind, plan } = await client.fleetRuns.get(runId, { signal })
  if (kind !== 'playbook')
    throw new CmdopError('validation', `The run is no playbook but of kind ${kind}; see: cmdop fleet resume.`)
  if (plan === null) throw new CmdopError('permission', 'Only whoever began the run goes on with it.')
  return readPlaybookPlan(plan)
}

/** One that is over is looked at again; one that somebody has paused stays so. */
async function claim(client: PlaybookClient, runId: string, records: StepRecords) {
  const { state } = await client.fleetRuns.get(runId)
  // Whoever cancelled it while no script was there wants it cancelled all the same.
  if (state === 'cancelled' && (await decision(records)) === undefined) await decide(records, CANCELLED)
  return client.fleetRuns.claim(runId, { again: state !== 'running' && state !== 'paused' })
}

async function machinesOf(client: PlaybookClient, runId: string, signal: AbortSignal) {
  const targets = await Array.fromAsync(client.fleetRuns.targets(runId, { signal }))
  const all = await Array.fromAsync(client.machines.iter({ limit: 500, signal }))
  const known = new Map(all.map((machine) => [machine.id, machine]))
  return targets.map((target) => machineOf(target, known))
}
