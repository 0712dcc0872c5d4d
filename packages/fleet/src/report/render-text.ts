import type { OutcomeName } from '@cmdop/protocol'
import type { CommandResult } from '../jobs/exec-job.ts'
import type { FleetRow } from '../run/fleet-row.ts'
import type { FleetReport } from './fleet-report.ts'
import { groupRows, type RowGroup } from './group-rows.ts'

/** Names in the heading of a group at most; the rest is counted. */
const NAMES = 20

/** A report on a command for a terminal: what was the same is shown once, with the machines that said it. */
export function renderCommandText(report: FleetReport<CommandResult>): string {
  const same = ({ result }: FleetRow<CommandResult>) =>
    JSON.stringify([result?.exitCode, result?.signal, result?.stdout, result?.stderr])
  const groups = groupRows(report.rows, same).map(groupText)
  return `${[...groups, summaryLine(report)].join('\n')}\n`
}

/** `200 machines in 1.2 s: 187 ok, 10 failed, 3 unreachable` */
export function summaryLine({ rows, counts, durationMs, stop }: FleetReport<unknown>): string {
  const said = Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [`${count} ${name}`]))
  const end = stop === null ? '' : `\nStopped: ${stop.message}`
  return `${machines(rows.length)} in ${(durationMs / 1000).toFixed(1)} s: ${said.join(', ') || 'nothing to do'}${end}`
}

function groupText({ rows, first }: RowGroup<CommandResult>): string {
  const shown = rows.slice(0, NAMES).map(({ machine }) => machine.name)
  const more = rows.length > NAMES ? ` and ${rows.length - NAMES} more` : ''
  const lines = [`== ${machines(rows.length)}: ${shown.join(', ')}${more}`, `   ${endOf(first)}`]
  const { stdout = '', stderr = '' } = first.result ?? {}
  return [...lines, ...[stdout, stderr].filter((text) => text !== '').map((text) => text.replace(/\n$/, '')), ''].join(
    '\n',
  )
}

/** `failed: exit code 3`, `unreachable: The machine is offline; nothing ran.` */
export function endOf({ outcome, result, error }: FleetRow<CommandResult>): string {
  if (error !== null) return `${outcome}: ${error.message}`
  if (result === null) return outcome satisfies OutcomeName
  return result.signal === null ? `${outcome}: exit code ${result.exitCode}` : `${outcome}: ended by ${result.signal}`
}

function machines(count: number): string {
  return count === 1 ? '1 machine' : `${count} machines`
}
