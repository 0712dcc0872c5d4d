import {
  type AnyResult,
  endOf,
  type FleetExecution,
  type FleetReport,
  type FleetRow,
  renderCommandText,
  renderHtml,
  renderJunit,
  renderMarkdown,
  saidBy,
} from '@cmdop/fleet'
import { CmdopError } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { say, writeStdout } from '../terminal.ts'
import { followRun } from './progress-line.ts'
import { writeReportJson } from './write-report-json.ts'

/** How a report is written. */
export interface FormatFlags {
  format?: string
  json?: boolean
}

/** Follows a run to its end, writes its report, and gives the exit code. */
export async function finishRun(run: FleetExecution<AnyResult>, format: Format, title: string): Promise<number> {
  await say(`run ${run.runId}`)
  const report = await followRun(run, { isTerminal: process.stderr.isTTY })
  await writeReport(report, format, title)
  return exitCodeOf(report)
}

const formats = ['text', 'json', 'jsonl', 'junit', 'markdown', 'html'] as const
type Format = (typeof formats)[number]

/** Throws `config`. */
export function formatOf({ format = 'text', json }: FormatFlags): Format {
  const known = formats.find((each) => each === (json === true ? 'json' : format))
  if (known !== undefined) return known
  throw new CmdopError('config', `Expected --format to be one of ${formats.join(', ')}, got "${format}".`)
}

/** Writes a report in one of the formats. */
export async function writeReport(report: FleetReport<AnyResult>, format: Format, title: string): Promise<void> {
  if (format === 'json') return writeReportJson(report)
  if (format === 'jsonl') {
    for (const row of report.rows) await writeStdout(`${JSON.stringify(row)}\n`)
    return
  }
  if (format === 'junit') return writeStdout(renderJunit(report, { name: title, textOf }))
  if (format === 'markdown') return writeStdout(renderMarkdown(report, { title, textOf }))
  if (format === 'html') return writeStdout(renderHtml(report, { title, textOf }))
  await writeStdout(renderCommandText(report))
}

function textOf(row: FleetRow<AnyResult>): string {
  return [endOf(row), saidBy(row)].filter((part) => part !== '').join('\n')
}

/** 0 when every machine is ok, 130 when it was cancelled, else 1. */
export function exitCodeOf({ ok, stop }: FleetReport<unknown>): number {
  if (stop?.reason === 'cancelled') return exitCodes.cancelled
  return ok ? exitCodes.ok : exitCodes.failed
}
