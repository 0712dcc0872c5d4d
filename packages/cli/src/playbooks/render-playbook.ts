import type { DryRow, DryStep, PlaybookDryRun, PlaybookReport, StepReport } from '@cmdop/fleet'
import { formatTable } from '../terminal.ts'

/** Names in one line at most; the rest is counted. */
const NAMES = 5

/** Changes of one effect that are listed at most. */
const CHANGES = 20

/** What a playbook came to, for a terminal. */
export function renderPlaybook({ playbook, outcome, message, steps, rollbacks, durationMs }: PlaybookReport): string {
  const undone = rollbacks.length === 0 ? '' : `\nUndone:\n${tableOf(rollbacks)}`
  const end = message === null ? '' : `\n${message}\n`
  return `${tableOf(steps)}${undone}${end}\n${playbook}: ${outcome} in ${(durationMs / 1000).toFixed(1)} s\n`
}

/** What it would do, for a terminal. */
export function renderDryRun({ playbook, steps, effects, isKnown }: PlaybookDryRun): string {
  const lines = steps.flatMap((step) => gradesOf(step).map((row) => [step.step, step.kind, ...row]))
  const table = formatTable(['STEP', 'KIND', 'DRY RUN', 'MACHINES', 'WHY'], lines)
  const changes = effects.map(({ machines, effect, why }) => {
    const list = effect?.effects ?? []
    const shown = list.slice(0, CHANGES).map(({ kind, path }) => `   ${kind} ${path}`)
    const more = list.length > CHANGES ? [`   and ${list.length - CHANGES} more`] : []
    const none = list.length === 0 ? [`   ${why ?? 'changes no file'}`] : []
    return [`== ${machinesOf(machines.map((machine) => ({ machine })))}`, ...shown, ...more, ...none].join('\n')
  })
  const end = isKnown
    ? `${playbook}: every step was done in a view, or will ask people; nothing has reached any machine`
    : `${playbook}: some steps are not known before they run; nothing has reached any machine`
  return `${table}\n${changes.join('\n')}\n\n${end}\n`
}

/** `web-1, web-2 and 10 more` */
export function machinesOf(rows: readonly { readonly machine: { readonly name: string } }[]): string {
  const names = rows.slice(0, NAMES).map(({ machine }) => machine.name)
  return rows.length > NAMES ? `${names.join(', ')} and ${rows.length - NAMES} more` : names.join(', ')
}

function tableOf(steps: readonly StepReport[]): string {
  const rows = flat(steps).map(({ step, kind, outcome, rows: all, runId }) => [
    step,
    kind,
    outcome,
    machinesOf(all) || '-',
    runId ?? '-',
  ])
  return formatTable(['STEP', 'KIND', 'OUTCOME', 'MACHINES', 'RUN'], rows)
}

function flat(steps: readonly StepReport[]): StepReport[] {
  return steps.flatMap((step) => [step, ...flat(step.steps)])
}

/** Machines of which the same is said, together. */
function gradesOf({ rows }: DryStep): string[][] {
  const groups = new Map<string, DryRow[]>()
  for (const row of rows) {
    const key = JSON.stringify([row.grade, row.why])
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return Array.from(groups.values(), (all) => [
    all[0]?.grade ?? '',
    machinesOf(all),
    (all[0]?.why ?? '-').slice(0, 200),
  ])
}
