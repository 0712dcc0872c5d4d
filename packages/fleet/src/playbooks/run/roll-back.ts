import { isFailure } from '@cmdop/protocol'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { StepReport } from '../playbook-report.ts'
import type { MachineStep, Step } from '../steps/step.ts'
import type { Ending } from './ending.ts'
import { flatten } from './machine-rows.ts'
import { performStep } from './perform-step.ts'
import type { Scene } from './scene.ts'

interface ToUndo {
  readonly steps: readonly Step[]
  readonly reports: readonly StepReport[]
  readonly because: Ending
}

/**
 * Undoes the steps that have a rollback, the last one first, each on the machines where it had ended well. One that fails is reported,
 * and the others go on. Nobody cancels it: who does not want to wait ends the script, and goes on with the playbook later.
 */
export async function rollBack(scene: Scene, { steps, reports, because }: ToUndo): Promise<StepReport[]> {
  const done: StepReport[] = []
  const all = new Map(flatten(reports).map((report) => [report.step, report]))
  scene.emit({ type: 'rollback', because: because.message ?? because.outcome })
  for (const step of undoable(steps).toReversed()) {
    const machines = okMachines(all.get(step.name))
    if (machines.length > 0 && step.rollback !== undefined)
      done.push(await undo(scene, { name: step.name, rollback: step.rollback, machines }))
  }
  return done
}

async function undo(
  scene: Scene,
  { name, rollback, machines }: { name: string; rollback: MachineStep; machines: readonly FleetMachine[] },
): Promise<StepReport> {
  const everywhere = { ...rollback, options: { ...rollback.options, maxFailures: '100%' } } as MachineStep
  const { signal } = new AbortController()
  const site = { part: `rollback:${name}`, machines, signal, next: [], isOver: false }
  const report = await performStep(scene, everywhere, site)
  const bad = report.rows.filter(({ outcome }) => isFailure(outcome))
  if (bad.length === 0) return report
  const isUnknown = bad.some(({ outcome }) => outcome === 'unknown' || outcome === 'lost')
  const names = bad.map(({ machine }) => machine.name).join(', ')
  return { ...report, outcome: isUnknown ? 'unknown' : 'failed', message: `It is not undone on ${names}.` }
}

/** In order; those of a parallel step, too. */
function undoable(steps: readonly Step[]): MachineStep[] {
  return steps.flatMap((step) => {
    if (step.kind === 'parallel') return undoable(step.steps)
    return 'rollback' in step && step.rollback !== undefined ? [step] : []
  })
}

function okMachines(report: StepReport | undefined): FleetMachine[] {
  return report?.rows.filter(({ outcome }) => outcome === 'ok').map(({ machine }) => machine) ?? []
}
