import type { OutcomeName } from '@cmdop/protocol'
import { type FleetMachine, type FleetRow, skipped } from '../../run/fleet-row.ts'
import type { StepReport } from '../playbook-report.ts'

/** Ids of the machines on which a step ended well; undefined: it is of no machine. */
export function okIds(report: StepReport): ReadonlySet<string> | undefined {
  if (report.steps.length === 0)
    return report.rows.length === 0
      ? undefined
      : new Set(report.rows.filter(({ outcome }) => outcome === 'ok').map(({ machine }) => machine.id))
  const each = report.steps.map(okIds).filter((ids) => ids !== undefined)
  const [first, ...others] = each
  return first === undefined ? undefined : new Set([...first].filter((id) => others.every((ids) => ids.has(id))))
}

/** How the playbook ended on each machine: as the first step that did not end well there. */
export function machineRows(machines: readonly FleetMachine[], reports: readonly StepReport[]): FleetRow<unknown>[] {
  const rows = flatten(reports).flatMap((report) => report.rows.map((row) => ({ ...row, step: report.step })))
  return machines.map((machine) => {
    const own = rows.filter((row) => row.machine.id === machine.id && row.outcome !== 'skipped')
    const bad = own.find(({ outcome }) => outcome !== 'ok')
    const [first] = own
    if (first === undefined) return skipped(machine, 1)
    const { step, error, startedAt } = bad ?? first
    const outcome: OutcomeName = bad?.outcome ?? 'ok'
    const durationMs = own.reduce((sum, row) => sum + (row.durationMs ?? 0), 0)
    const result = bad === undefined ? { steps: own.length } : { step }
    return { machine, wave: 1, outcome, result, error, attempts: 1, startedAt, durationMs }
  })
}

/** Every step, those of parallel ones, too. */
export function flatten(reports: readonly StepReport[]): StepReport[] {
  return reports.flatMap((report) => [report, ...flatten(report.steps)])
}
