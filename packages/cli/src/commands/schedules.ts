import type { Client, ScheduleRun, ScheduleRunDetail, ScheduleView } from '@cmdop/core'
import {
  CmdopError,
  ScheduleRunDetail as ScheduleRunDetailSchema,
  ScheduleRunView,
  ScheduleTriggered,
  ScheduleView as ScheduleViewSchema,
} from '@cmdop/protocol'
import { exitCodes } from '../exit-codes.ts'
import { clientFor, type FleetFlags } from '../fleet-client.ts'
import { scheduleIdOf } from '../named-schedule.ts'
import { parseCount } from '../numbers.ts'
import { writeResource } from '../resource-json.ts'
import { formatTable, printable, say, writeJson, writeStdout } from '../terminal.ts'
import { givenBy, type ScheduleFlags } from './schedule-flags.ts'

export type { ScheduleFlags } from './schedule-flags.ts'

/** Runs that are listed unless it says how many. */
const LISTED = 50

/** Milliseconds between two looks at a run that is waited for. */
const LOOK_EVERY_MS = 500

/** How lists are printed. */
export interface ScheduleListFlags {
  limit?: string
  json?: boolean
}

interface Common extends FleetFlags {
  json?: boolean
  signal: AbortSignal
}

/** `cmdop schedules list`. */
export async function listSchedulesCommand({ json, signal, fleet }: Common): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  const items = await Array.fromAsync(client.schedules.iter({ signal }))
  const columns = ['NAME', 'WHEN', 'WHERE', 'NEXT', 'LAST', 'ON', 'ID']
  if (json === true) await writeResource(ScheduleViewSchema, { items })
  else await writeStdout(formatTable(columns, items.map(rowOf)))
  return exitCodes.ok
}

/** `cmdop schedules get <id>`. */
export async function getScheduleCommand(meant: string, { json, signal, fleet }: Common): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  await show(await client.schedules.get(await scheduleIdOf(client, meant, signal), { signal }), json)
  return exitCodes.ok
}

/** `cmdop schedules create`. */
export async function createScheduleCommand({
  signal,
  json,
  fleet,
  ...flags
}: ScheduleFlags & Common): Promise<number> {
  const { name, cron } = flags
  if (name === undefined || cron === undefined) throw new CmdopError('config', 'Expected --name and --cron.')
  await using client = await clientFor({ fleet }, signal)
  const { description, restrictions, notify, ...given } = await givenBy(client, { ...flags, fleet }, signal)
  const optional = { ...(description == null ? {} : { description }), restrictions: restrictions ?? null }
  const schedule = { ...given, ...optional, notify: notify ?? null, name, cronExpr: cron }
  await show(await client.schedules.create(schedule, { signal }), json)
  return exitCodes.ok
}

/** `cmdop schedules update <id>`. */
export async function updateScheduleCommand(
  meant: string,
  { signal, json, fleet, ...flags }: ScheduleFlags & Common,
): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  const given = await givenBy(client, { ...flags, fleet }, signal)
  if (Object.keys(given).length === 0) throw new CmdopError('config', 'Expected something to change, see --help.')
  const id = await scheduleIdOf(client, meant, signal)
  await show(await client.schedules.update(id, given, { signal }), json)
  return exitCodes.ok
}

/** `cmdop schedules pause <id>` and `resume <id>`. */
export async function enableScheduleCommand(
  meant: string,
  isEnabled: boolean,
  { json, signal, fleet }: Common,
): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  const id = await scheduleIdOf(client, meant, signal)
  const schedule = await client.schedules.update(id, { isEnabled }, { signal })
  if (json === true) await writeResource(ScheduleViewSchema, schedule)
  else await say(isEnabled ? `${meant} fires next at ${schedule.nextRunAt ?? '-'}` : `${meant} is paused`)
  return exitCodes.ok
}

/** `cmdop schedules delete <id>`. */
export async function deleteScheduleCommand(meant: string, { json, signal, fleet }: Common): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  const id = await scheduleIdOf(client, meant, signal)
  await client.schedules.delete(id, { signal })
  if (json === true) await writeJson({ id })
  else await say(`${meant} is deleted; what ran of it is ended`)
  return exitCodes.ok
}

/** `cmdop schedules trigger <id>`: runs it now. With `--wait`, exit code 1 where it was no success. */
export async function triggerScheduleCommand(
  meant: string,
  { json, signal, fleet, wait }: Common & { wait?: boolean },
): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  const id = await scheduleIdOf(client, meant, signal)
  // Whoever waits and leaves is told which run goes on: the answer is waited for.
  const triggered = await client.schedules.trigger(id, wait === true ? {} : { signal })
  if (wait === true) return showRun(await ended(client, [id, triggered.jobId], { signal, fleet }), json)
  if (json === true) await writeResource(ScheduleTriggered, triggered)
  else await say(`run ${triggered.jobId} is under way: cmdop schedules show-run ${id} ${triggered.jobId}`)
  return exitCodes.ok
}

/** `cmdop schedules runs <id>`. */
export async function listRunsCommand(
  meant: string,
  { json, signal, fleet, ...flags }: Common & ScheduleListFlags,
): Promise<number> {
  const limit = flags.limit === undefined ? LISTED : parseCount('--limit', flags.limit)
  await using client = await clientFor({ fleet }, signal)
  const id = await scheduleIdOf(client, meant, signal)
  const items: ScheduleRun[] = []
  for await (const run of client.schedules.iterRuns(id, { limit: Math.min(limit, 200), signal })) {
    items.push(run)
    if (items.length >= limit) break
  }
  const columns = ['DUE', 'STATUS', 'MACHINES', 'SECONDS', 'WHY', 'ID']
  if (json === true) await writeResource(ScheduleRunView, { items })
  else await writeStdout(formatTable(columns, items.map(runRowOf)))
  return exitCodes.ok
}

/** `cmdop schedules show-run <id> <run>`. */
export async function showRunCommand(
  [meant, run]: readonly [string, string],
  { json, signal, fleet }: Common,
): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  const id = await scheduleIdOf(client, meant, signal)
  await showRun(await whole(client, [id, run], signal), json)
  return exitCodes.ok
}

/** `cmdop schedules cancel <id> <run>`. */
export async function cancelRunCommand(
  [meant, runId]: readonly [string, string],
  { json, signal, fleet }: Common,
): Promise<number> {
  await using client = await clientFor({ fleet }, signal)
  const id = await scheduleIdOf(client, meant, signal)
  const run = await client.schedules.cancel(id, runId, { signal })
  if (json === true) await writeResource(ScheduleRunView, run)
  else await say(run.status === 'cancelled' ? `${runId} is cancelled` : `${runId} is being ended`)
  return exitCodes.ok
}

/** The run when it is over. Throws `cancelled` where it is no longer waited for, which leaves it running. */
async function ended(
  client: Client,
  place: readonly [string, string],
  { signal, fleet }: Common,
): Promise<ScheduleRunDetail> {
  try {
    for (;;) {
      const { finishedAt } = await client.schedules.run(...place, { limit: 1, signal })
      if (finishedAt !== null) return await whole(client, place, signal)
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
  } catch (cause) {
    if (!signal.aborted) throw cause
    const there = fleet === undefined ? '' : ` --fleet ${fleet}`
    const message = `The run goes on; to end it: cmdop schedules cancel ${place.join(' ')}${there}`
    throw new CmdopError('cancelled', message, { cause })
  }
}

/** A run with all of its machines. */
async function whole(
  client: Client,
  place: readonly [string, string],
  signal: AbortSignal,
): Promise<ScheduleRunDetail> {
  const first = await client.schedules.run(...place, { signal })
  for (let cursor = first.nextCursor; cursor !== null;) {
    const page = await client.schedules.run(...place, { cursor, signal })
    first.results.push(...page.results)
    cursor = page.nextCursor
  }
  return { ...first, nextCursor: null }
}

async function showRun(run: ScheduleRunDetail, json: boolean | undefined): Promise<number> {
  if (json === true) await writeResource(ScheduleRunDetailSchema, run)
  else {
    const rows = run.results.map((result) => [
      result.machineName,
      result.status,
      result.exitCode === null ? '-' : String(result.exitCode),
      String(result.attempts),
      result.error === '' ? '-' : result.error,
    ])
    await say(`${run.status}${run.error === '' ? '' : `: ${run.error}`}`)
    await writeStdout(formatTable(['MACHINE', 'STATUS', 'EXIT', 'TRIES', 'WHY'], rows))
    for (const { machineName, output, outputTruncated } of run.results)
      if (output !== '')
        await writeStdout(`\n${machineName}${outputTruncated ? ' (the end)' : ''}:\n${printable(output)}`)
  }
  return run.status === 'success' ? exitCodes.ok : exitCodes.failed
}

async function show(schedule: ScheduleView, json: boolean | undefined): Promise<void> {
  if (json === true) return writeResource(ScheduleViewSchema, schedule)
  const what = schedule.prompt === null ? schedule.command : `prompt: ${schedule.prompt}`
  const lines = [
    ['id', schedule.id],
    ['name', schedule.name],
    ['when', `${schedule.cronExpr} (${schedule.timezone})`],
    ['what', what],
    ['where', whereOf(schedule)],
    ['next', schedule.nextRunAt ?? 'paused'],
    ['last', lastOf(schedule)],
    ['acts for', schedule.actsForId],
    ['timeout', `${schedule.timeoutSeconds} s`],
    ['overlap', schedule.overlap],
    ['retries', retriesOf(schedule)],
    ['missed', schedule.missed],
    ['notify', notifyOf(schedule)],
    ...(schedule.restrictions === null ? [] : [['restrict', JSON.stringify(schedule.restrictions)] as const]),
    ...(schedule.description === '' ? [] : [['about', schedule.description] as const]),
  ] as const
  await writeStdout(lines.map(([name, value]) => `${name.padEnd(10)}${printable(value)}\n`).join(''))
}

function rowOf(schedule: ScheduleView): string[] {
  const { name, cronExpr, timezone, nextRunAt, isEnabled, id } = schedule
  const when = timezone === 'UTC' ? cronExpr : `${cronExpr} ${timezone}`
  return [name, when, whereOf(schedule), nextRunAt ?? '-', schedule.lastStatus ?? '-', isEnabled ? 'yes' : 'no', id]
}

function runRowOf({ dueAt, status, counts, durationSeconds, error, id }: ScheduleRun): string[] {
  const machines = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`)
  return [dueAt, status, machines.join(', ') || '-', durationSeconds?.toFixed(1) ?? '-', error || '-', id]
}

function whereOf({ targetKind, machineIds, selector }: ScheduleView): string {
  if (targetKind === 'all_fleet_machines') return 'all'
  return targetKind === 'selector' ? (selector ?? '') : `${machineIds.length} named`
}

function lastOf({ lastStatus, lastRunAt, lastError }: ScheduleView): string {
  if (lastStatus === null) return 'never'
  return `${lastStatus}${lastRunAt === null ? '' : ` at ${lastRunAt}`}${lastError === null ? '' : `: ${lastError}`}`
}

function retriesOf({ retries, retryWaitSeconds }: ScheduleView): string {
  return retries === 0 ? 'none' : `${retries}, ${retryWaitSeconds} s before each`
}

function notifyOf({ notify }: ScheduleView): string {
  return notify === null ? 'nobody' : `${notify.webhookIds.join(', ')} of ${notify.on.join(', ')}`
}
