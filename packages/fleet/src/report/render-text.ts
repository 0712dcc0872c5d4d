import type { EffectSummary, OutcomeName } from '@cmdop/protocol'
import type { AnyResult } from '../jobs/kinds.ts'
import type { FleetRow } from '../run/fleet-row.ts'
import type { FleetReport } from './fleet-report.ts'
import { groupRows, type RowGroup } from './group-rows.ts'
import { outliersOf } from './outliers.ts'
import { createShownText } from './shown-text.ts'
import { machines, seconds } from './words.ts'

/** Names in one line at most; the rest is counted. */
const NAMES = 20

/** Characters of one machine, and of all of them: a text can be no longer. */
const EACH = 8 * 1024 * 1024
const ALL = 128 * 1024 * 1024

/** A report for a terminal, without control sequences: what was the same is shown once, with the machines that said it, then who is unlike the rest. */
export function renderCommandText(report: FleetReport<AnyResult>): string {
  const same = (row: FleetRow<AnyResult>) => JSON.stringify([endOf(row), saidBy(row)])
  const shown = createShownText({ each: EACH, all: ALL })
  const groups = groupRows(report.rows, same).map((group) => groupText(group, shown(saidBy(group.first))))
  return printable(`${[...groups, ...unlike(report, same), summaryLine(report)].join('\n')}\n`)
}

/** What a machine says may hold control sequences; a terminal is not given them. Lines and tabs stay. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the ones to replace
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\u{fffd}')
}

/** Lines about machines that are unlike the others; none where there are none. */
export function unlike<Result>(
  { rows, durations }: FleetReport<Result>,
  same: (row: FleetRow<Result>) => string,
): string[] {
  const { byOutput, byDuration } = outliersOf(rows, same)
  const tried = rows.filter(({ durationMs }) => durationMs !== null).length
  const slow = byDuration.map((row) => `${row.machine.name} ${seconds(row.durationMs ?? 0)}`)
  return [
    ...(byOutput.length === 0
      ? []
      : [`Unlike the other ${tried - byOutput.length}: ${listed(byOutput.map(({ machine }) => machine.name))}`]),
    ...(slow.length === 0 ? [] : [`Slow: ${listed(slow)}; half took at most ${seconds(durations?.p50 ?? 0)}`]),
  ]
}

/** `200 machines in 1.2 s: 187 ok, 10 failed, 3 unreachable` */
export function summaryLine({ rows, counts, durationMs, cost, stop }: FleetReport<unknown>): string {
  const said = Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [`${count} ${name}`]))
  const end = stop === null ? '' : `\nStopped: ${stop.message}`
  const price = cost === null ? '' : `, ${cost.toFixed(2)} USD`
  return `${machines(rows.length)} in ${seconds(durationMs)}${price}: ${said.join(', ') || 'nothing to do'}${end}`
}

function groupText({ rows, first }: RowGroup<AnyResult>, text: string): string {
  const names = listed(rows.map(({ machine }) => machine.name))
  const lines = [`== ${machines(rows.length)}: ${names}`, `   ${endOf(first)}`]
  const said = text.replace(/\n$/, '')
  return [...lines, ...(said === '' ? [] : [said]), ''].join('\n')
}

/** What a machine gave, for people: the output of a command, the answer of an operator. */
export function saidBy({ result }: FleetRow<AnyResult>): string {
  if (result === null) return ''
  if ('stdout' in result)
    return [result.stdout, result.stderr, ...effectLines(result.effect === null ? [] : [result.effect])]
      .filter((text) => text !== '')
      .map((text) => text.replace(/\n?$/, '\n'))
      .join('')
  if ('localPath' in result)
    return `${result.path}: ${result.files} files, ${result.bytes} bytes, SHA-256 ${result.sha256}`
  // Of a playbook and its questions.
  if (!('output' in result)) return JSON.stringify(result)
  const { output, text, effects } = result
  const answer = output === null ? text : typeof output === 'string' ? output : JSON.stringify(output, undefined, 2)
  return [answer, ...effectLines(effects)].join('\n')
}

/** What was changed, or would be: `pending: 1 added, 2 modified`. Equal for machines on which as much changes. */
function effectLines(effects: readonly EffectSummary[]): string[] {
  return effects.map(({ state, counts }) => {
    const changes = Object.entries(counts).flatMap(([kind, count]) => (count === 0 ? [] : [`${count} ${kind}`]))
    return `effect ${state}: ${changes.join(', ') || 'nothing'}`
  })
}

/** `failed: exit code 3`, `unreachable: The machine is offline; nothing ran.` */
export function endOf({ outcome, result, error }: FleetRow<AnyResult>): string {
  if (error !== null) return `${outcome}: ${error.message}`
  if (result === null || !('stdout' in result)) return outcome satisfies OutcomeName
  return result.signal === null ? `${outcome}: exit code ${result.exitCode}` : `${outcome}: ended by ${result.signal}`
}

function listed(names: readonly string[]): string {
  const more = names.length > NAMES ? ` and ${names.length - NAMES} more` : ''
  return `${names.slice(0, NAMES).join(', ')}${more}`
}
