import { Client } from '@cmdop/core'
import {
  type CommandResult,
  createFleet,
  endOf,
  type FleetExecution,
  type FleetExecOptions,
  type FleetReport,
  type FleetRow,
  readReport,
  renderCommandText,
  renderJunit,
  renderMarkdown,
  type WaveSize,
} from '@cmdop/fleet'
import { CmdopError, type FleetRunSummary, OutcomeName } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { followRun } from '../fleet/progress-line.ts'
import { parseCount, parseDuration } from '../numbers.ts'
import { formatTable, isStdoutTerminal, printable, say, writeJson, writeStdout } from '../terminal.ts'

export interface FleetReportFlags {
  format?: string
  json?: boolean
}

export interface FleetGoOnFlags extends FleetReportFlags {
  env?: string[]
}

export interface FleetExecFlags extends FleetGoOnFlags {
  on: string
  waves?: string
  bake?: string
  maxFailures?: string
  concurrency?: string
  per?: string[]
  timeout?: string
  retries?: string
  order?: string
  cwd?: string
  shell?: boolean
  title?: string
  runId?: string
  allowEmpty?: boolean
}

interface Cancellable {
  signal: AbortSignal
}

/** Runs that are listed unless it says how many. */
const LISTED = 20

/** `cmdop fleet targets`: the machines that a selector means. */
export async function targetsCommand(on: string, { json, signal }: { json?: boolean } & Cancellable): Promise<number> {
  await using client = new Client()
  const items = await createFleet(client, on).preview({ signal })
  if (json === true) await writeJson({ items })
  else
    await writeStdout(
      formatTable(
        ['NAME', 'PRESENCE', 'LABELS', 'ID'],
        items.map(({ name, presence, labels, id }) => [
          name,
          presence,
          Object.entries(labels)
            .map(([key, value]) => `${key}=${value}`)
            .sort()
            .join(',') || '-',
          id,
        ]),
      ),
    )
  return exitCodes.ok
}

/** `cmdop fleet exec --on <selector> -- <argv>` */
export async function fleetExecCommand(
  argv: string[],
  { signal, ...flags }: FleetExecFlags & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  const options = { ...execOptions(flags), signal }
  await using client = new Client()
  const run = createFleet(client, flags.on).exec(flags.shell === true ? argv.join(' ') : argv, options)
  return await finish(run, format, options.title ?? argv.join(' '))
}

/** `cmdop fleet resume <run>` */
export async function fleetResumeCommand(
  runId: string,
  { signal, ...flags }: FleetGoOnFlags & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  await using client = new Client()
  return await finish(createFleet(client, '*').resume(runId, { ...envOf(flags), signal }), format, runId)
}

/** `cmdop fleet retry <run> --outcomes failed,timeout` */
export async function fleetRetryCommand(
  runId: string,
  { signal, ...flags }: FleetGoOnFlags & { outcomes: string } & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  const outcomes = flags.outcomes.split(',').map((name) => {
    const known = OutcomeName.safeParse(name.trim())
    if (known.success) return known.data
    throw new CmdopError('config', `Expected --outcomes to be of ${OutcomeName.options.join(', ')}, got "${name}".`)
  })
  await using client = new Client()
  return await finish(createFleet(client, '*').retry(runId, { ...envOf(flags), outcomes, signal }), format, runId)
}

/** `cmdop fleet list` */
export async function fleetListCommand({
  json,
  signal,
  ...flags
}: { limit?: string; json?: boolean } & Cancellable): Promise<number> {
  const limit = flags.limit === undefined ? LISTED : parseCount('--limit', flags.limit)
  await using client = new Client()
  const items: FleetRunSummary[] = []
  for await (const run of client.fleetRuns.iter({ signal })) if (items.push(run) >= limit) break
  if (json === true) await writeJson({ items })
  else
    await writeStdout(
      formatTable(
        ['STARTED', 'STATE', 'MACHINES', 'OUTCOMES', 'WHAT', 'ID'],
        items.map((run) => [
          run.createdAt,
          run.state,
          String(run.targets),
          outcomesOf(run),
          run.title.slice(0, 40),
          run.runId,
        ]),
      ),
    )
  return exitCodes.ok
}

/** `cmdop fleet status <run>` */
export async function fleetStatusCommand(
  runId: string,
  { json, signal }: { json?: boolean } & Cancellable,
): Promise<number> {
  await using client = new Client()
  const run = await client.fleetRuns.get(runId, { signal })
  if (json === true) await writeJson(run)
  else {
    const done = Object.values(run.counts).reduce((sum, count) => sum + count, 0)
    await writeStdout(`${run.title}\n${run.state}: ${done} of ${run.targets} machines are done: ${outcomesOf(run)}\n`)
    if (run.stop !== null) await writeStdout(`Stopped: ${run.stop.message}\n`)
  }
  return exitCodes.ok
}

/** `cmdop fleet report <run>` */
export async function fleetReportCommand(
  runId: string,
  { signal, ...flags }: FleetReportFlags & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  await using client = new Client()
  const { title } = await client.fleetRuns.get(runId, { signal })
  const report = await readReport<CommandResult>(client, runId, { signal })
  await write(report, format, title)
  return exitCodeOf(report)
}

/** `cmdop fleet cancel <run>` */
export async function fleetCancelCommand(runId: string, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { state } = await client.fleetRuns.cancel(runId, { signal })
  await say(state === 'running' ? 'its script ends it within seconds, if it is there' : `the run is ${state} already`)
  return exitCodes.ok
}

async function finish(run: FleetExecution<CommandResult>, format: Format, title: string): Promise<number> {
  await say(`run ${run.runId}`)
  const report = await followRun(run, { isTerminal: process.stderr.isTTY })
  await write(report, format, title)
  return exitCodeOf(report)
}

const formats = ['text', 'json', 'jsonl', 'junit', 'markdown'] as const
type Format = (typeof formats)[number]

function formatOf({ format = 'text', json }: FleetReportFlags): Format {
  const known = formats.find((each) => each === (json === true ? 'json' : format))
  if (known !== undefined) return known
  throw new CmdopError('config', `Expected --format to be one of ${formats.join(', ')}, got "${format}".`)
}

async function write(report: FleetReport<CommandResult>, format: Format, title: string): Promise<void> {
  if (format === 'json') return writeJson(report)
  if (format === 'jsonl') {
    for (const row of report.rows) await writeStdout(`${JSON.stringify(row)}\n`)
    return
  }
  if (format === 'junit') return writeStdout(renderJunit(report, { name: title, textOf }))
  if (format === 'markdown') return writeStdout(renderMarkdown(report, { title, textOf }))
  const text = renderCommandText(report)
  await writeStdout(isStdoutTerminal() ? printable(text) : text)
}

function textOf(row: FleetRow<CommandResult>): string {
  return [endOf(row), row.result?.stdout ?? '', row.result?.stderr ?? ''].filter((part) => part !== '').join('\n')
}

/** 0 when every machine is ok, 130 when it was cancelled, else 1. */
function exitCodeOf({ ok, stop }: FleetReport<unknown>): number {
  if (stop?.reason === 'cancelled') return exitCodes.cancelled
  return ok ? exitCodes.ok : exitCodes.failed
}

function execOptions(flags: FleetExecFlags): FleetExecOptions {
  const { waves, bake, maxFailures, concurrency, timeout, retries, order, cwd, title, runId, allowEmpty } = flags
  const total = concurrency === undefined ? {} : { total: parseCount('--concurrency', concurrency) }
  const per = flags.per === undefined ? {} : { per: Object.fromEntries(flags.per.map(parsePer)) }
  return {
    concurrency: { ...total, ...per },
    ...(waves === undefined ? {} : { waves: waves.split(',').map((size) => parseSize('--waves', size)) }),
    ...(bake === undefined ? {} : { bakeMs: parseDuration(bake) }),
    ...(maxFailures === undefined ? {} : { maxFailures: parseSize('--max-failures', maxFailures) }),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout) }),
    ...(retries === undefined ? {} : { retries: parseCount('--retries', retries) }),
    ...(order === undefined ? {} : { order: parseOrder(order) }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(title === undefined ? {} : { title }),
    ...(runId === undefined ? {} : { runId }),
    ...(allowEmpty === true ? { allowEmpty } : {}),
    ...envOf(flags),
  }
}

function envOf({ env }: { env?: string[] }): { env?: Record<string, string> } {
  if (env === undefined) return {}
  const pairs = env.map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at < 1) throw new CmdopError('config', `Expected --env to be NAME=VALUE, got "${text}".`)
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return { env: Object.fromEntries(pairs) }
}

function parseSize(option: string, text: string): WaveSize {
  const size = text.trim()
  if (/^\d+(\.\d+)?%$/.test(size)) return size as WaveSize
  if (/^\d+$/.test(size)) return Number(size)
  throw new CmdopError('config', `Expected ${option} to be counts or percentages such as 1 or 25%, got "${text}".`)
}

function parsePer(text: string): [string, number] {
  const [, label = '', count = ''] = /^([^=]+)=(\d+)$/.exec(text) ?? []
  if (label !== '') return [label, parseCount('--per', count)]
  throw new CmdopError('config', `Expected --per to be a label and a count such as zone=1, got "${text}".`)
}

function parseOrder(text: string): 'name' | 'reverse' | 'shuffle' {
  if (text === 'name' || text === 'reverse' || text === 'shuffle') return text
  throw new CmdopError('config', `Expected --order to be name, reverse or shuffle, got "${text}".`)
}

function outcomesOf({ counts }: FleetRunSummary): string {
  return (
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none yet'
  )
}
