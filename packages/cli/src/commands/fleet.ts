import { Client, type FleetRunSummary } from '@cmdop/core'
import { type AnyResult, createFleet, readReport } from '@cmdop/fleet'
import { CmdopError, OutcomeName } from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { exitCodeOf, finishRun, formatOf, type FormatFlags, writeReport } from '../fleet/finish-run.ts'
import { envOf } from '../fleet/run-flags.ts'
import { waitText } from '../fleet/wait-text.ts'
import { loadSchema } from '../load-schema.ts'
import { parseCount, parseDuration } from '../numbers.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'

export interface FleetGoOnFlags extends FormatFlags {
  env?: string[]
  schema?: string
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

/** `cmdop fleet ping <selector>`: which machines are really there. */
export async function pingCommand(
  on: string,
  { json, timeout, signal }: { json?: boolean; timeout?: string } & Cancellable,
): Promise<number> {
  await using client = new Client()
  const answers = await createFleet(client, on).ping({
    signal,
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout) }),
  })
  const isThere = answers.every(({ roundTripMs }) => roundTripMs !== null)
  if (json === true)
    await writeJson({
      items: answers.map(({ machine, roundTripMs }) => ({
        id: machine.id,
        name: machine.name,
        round_trip_ms: roundTripMs,
      })),
    })
  else
    await writeStdout(
      formatTable(
        ['NAME', 'ANSWERED', 'ID'],
        answers.map(({ machine: { name, id }, roundTripMs }) => [
          name,
          roundTripMs === null ? 'no' : `${roundTripMs.toFixed(1)} ms`,
          id,
        ]),
      ),
    )
  return isThere ? exitCodes.ok : exitCodes.unreachable
}

/** `cmdop fleet resume <run>` */
export async function fleetResumeCommand(
  runId: string,
  { signal, ...flags }: FleetGoOnFlags & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  await using client = new Client()
  const given = { ...(await givenBy(flags)), signal }
  return await finishRun(createFleet(client, '*').resume(runId, given), format, runId)
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
  const given = { ...(await givenBy(flags)), outcomes, signal }
  return await finishRun(createFleet(client, '*').retry(runId, given), format, runId)
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
    if (run.wait !== null) await writeStdout(`Waits: ${waitText(run.wait, runId)}\n`)
  }
  return exitCodes.ok
}

/** `cmdop fleet report <run>` */
export async function fleetReportCommand(
  runId: string,
  { signal, ...flags }: FormatFlags & Cancellable,
): Promise<number> {
  const format = formatOf(flags)
  await using client = new Client()
  const { title } = await client.fleetRuns.get(runId, { signal })
  const report = await readReport<AnyResult>(client, runId, { signal })
  await writeReport(report, format, title)
  return exitCodeOf(report)
}

/** `cmdop fleet cancel <run>` */
export async function fleetCancelCommand(runId: string, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  const { state } = await client.fleetRuns.cancel(runId, { signal })
  await say(
    state === 'cancelled'
      ? 'nothing of it begins any more; its script ends what runs within seconds, if it is there'
      : `the run is ${state} already`,
  )
  return exitCodes.ok
}

/** `cmdop fleet pause <run>` */
export async function fleetPauseCommand(
  runId: string,
  { reason, signal }: { reason?: string } & Cancellable,
): Promise<number> {
  await using client = new Client()
  await client.fleetRuns.pause(runId, reason === undefined ? {} : { reason }, { signal })
  await say(`its script begins no machine any more within seconds; go on with: cmdop fleet continue ${runId}`)
  return exitCodes.ok
}

/** `cmdop fleet continue <run>` */
export async function fleetContinueCommand(runId: string, signal: AbortSignal): Promise<number> {
  await using client = new Client()
  await client.fleetRuns.proceed(runId, { signal })
  await say(`it goes on within seconds if its script is there; else: cmdop fleet resume ${runId}`)
  return exitCodes.ok
}

/** What no ledger keeps of the run. */
async function givenBy({ schema, ...flags }: FleetGoOnFlags) {
  return { ...envOf(flags), ...(schema === undefined ? {} : { outputSchema: await loadSchema(schema) }) }
}

function outcomesOf({ counts }: FleetRunSummary): string {
  return (
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none yet'
  )
}
