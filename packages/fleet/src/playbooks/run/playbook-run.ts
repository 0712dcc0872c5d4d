import type { FleetRunClaimed } from '@cmdop/core'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { PlaybookClient } from '../playbook-client.ts'
import type { PlaybookEvent, PlaybookReport, StepReport } from '../playbook-report.ts'
import type { Step } from '../steps/step.ts'
import { StepValues } from '../steps/values.ts'
import { CANCELLED, decide, decision, type Ending, stopOf } from './ending.ts'
import { machineRows, okIds } from './machine-rows.ts'
import { performStep } from './perform-step.ts'
import { PlaybookLedger } from './playbook-ledger.ts'
import { rollBack } from './roll-back.ts'
import type { Scene } from './scene.ts'
import { StepRecords } from './step-records.ts'

export interface PlaybookToRun {
  readonly client: PlaybookClient
  readonly claimed: FleetRunClaimed
  readonly name: string
  readonly steps: readonly Step[]
  readonly machines: readonly FleetMachine[]
  readonly emit: (event: PlaybookEvent) => void
  readonly signal: AbortSignal
}

/**
 * Goes through the steps of a playbook, from its beginning: what was done before is read, not done again. Then, where it failed, was
 * refused or was cancelled, undoes what had ended well. Throws where another script has taken it over, or the relay is gone: then
 * whoever goes on with it does the rest.
 */
export async function runPlaybook(playbook: PlaybookToRun): Promise<PlaybookReport> {
  const { client, claimed, name, machines, emit } = playbook
  const { epoch } = claimed
  const { runId } = claimed.run
  const [startedAt, began] = [new Date().toISOString(), performance.now()]
  await using ledger = new PlaybookLedger(client, { runId, epoch })
  const signal = AbortSignal.any([playbook.signal, ledger.cancelled])
  const scene: Scene = { client, name, records: new StepRecords(client, runId), values: new StepValues(), emit }
  const { steps, ending } = await goThrough(scene, { ...playbook, signal, mayBegin: () => ledger.mayBegin(signal) })
  const isUndone = ending.outcome !== 'ok' && ending.outcome !== 'unknown'
  const rollbacks = isUndone ? await rollBack(scene, { ...playbook, reports: steps, because: ending }) : []
  const state = ending.outcome === 'ok' ? 'ended' : ending.outcome === 'cancelled' ? 'cancelled' : 'stopped'
  await ledger.end(machineRows(machines, steps), state, stopOf(ending))
  const durationMs = Math.round(performance.now() - began)
  return { runId, playbook: name, ...ending, steps, rollbacks, startedAt, durationMs }
}

/** Every step in order, each on the machines on which all went well before it. */
async function goThrough(
  scene: Scene,
  {
    steps,
    machines,
    signal,
    mayBegin,
  }: Pick<PlaybookToRun, 'steps' | 'machines' | 'signal'> & {
    readonly mayBegin: () => Promise<boolean>
  },
): Promise<{ steps: StepReport[]; ending: Ending }> {
  const reports: StepReport[] = []
  // A script before this one may have found that it goes no further: then nothing begins any more.
  let ending = await decision(scene.records)
  let left = machines
  for (const [index, step] of steps.entries()) {
    if (ending === undefined && !(await mayBegin())) ending = await decide(scene.records, CANCELLED)
    const site = { part: step.name, machines: left, signal, next: steps.slice(index + 1), isOver: ending !== undefined }
    const report = await performStep(scene, step, site)
    reports.push(report)
    const ok = okIds(report)
    left = left.filter(({ id }) => ok === undefined || ok.has(id))
    const found = endingBy(report, left)
    if (ending !== undefined || found === undefined) continue
    // What is not known may be known to a person: it is they who say whether the rest is undone.
    ending = found.outcome === 'unknown' ? found : await decide(scene.records, found)
  }
  return { steps: reports, ending: ending ?? { outcome: 'ok', message: null } }
}

/** What a step makes of the playbook; undefined: it goes on, with these machines. */
function endingBy({ step, outcome, message }: StepReport, left: readonly FleetMachine[]): Ending | undefined {
  if (outcome !== 'ok' && outcome !== 'skipped')
    return { outcome, message: `The step '${step}' is ${outcome}. ${message ?? ''}`.trim() }
  if (left.length > 0) return undefined
  return { outcome: 'failed', message: `After the step '${step}' no machine is left on which all has gone well.` }
}
