import { readFile } from 'node:fs/promises'
import type { Client, FromWire } from '@cmdop/core'
import { CmdopError, ScheduleMissed, ScheduleNotice, ScheduleOverlap, type ScheduleUpdate } from '@cmdop/protocol'
import type { z } from 'zod'
import { type FleetFlags, machineIdIn } from '../fleet-client.ts'
import { parseBytes, parseCount, parseDuration } from '../numbers.ts'
import { type RestrictionFlags, restrictionsOf } from '../restriction-options.ts'

/** What `cmdop schedules create` and `update` take. */
export interface ScheduleFlags extends RestrictionFlags {
  name?: string
  cron?: string
  command?: string
  prompt?: string
  schema?: string
  description?: string
  timezone?: string
  all?: boolean
  machine?: string[]
  selector?: string
  timeout?: string
  overlap?: string
  retries?: string
  retryWait?: string
  missed?: string
  grace?: string
  concurrency?: string
  approvalWait?: string
  maxOutput?: string
  keepRuns?: string
  notify?: string[] | false
  notifyOn?: string[]
  /** Of update: false takes them away. */
  machines?: boolean
  restrictions?: boolean
  json?: boolean
}

/** What is given of a schedule; what is not is left out. */
export type GivenSchedule = FromWire<ScheduleUpdate>

/** The fields that the flags give. Machines are looked up. Throws `config`, `not_found`, `ambiguous`. */
export async function givenBy(
  client: Client,
  flags: ScheduleFlags & FleetFlags,
  signal: AbortSignal,
): Promise<GivenSchedule> {
  const restrictions = flags.restrictions === false ? null : restrictionsOf(flags)
  return without({
    name: flags.name,
    cronExpr: flags.cron,
    command: flags.command,
    prompt: flags.prompt,
    outputSchema: flags.schema === undefined ? undefined : await readSchema(flags.schema),
    description: flags.description,
    timezone: flags.timezone,
    ...(await targetOf(client, flags, signal)),
    timeoutSeconds: secondsOf(flags.timeout, Math.ceil),
    overlap: oneOf(ScheduleOverlap, '--overlap', flags.overlap),
    retries: wholeOf('--retries', flags.retries),
    retryWaitSeconds: secondsOf(flags.retryWait),
    missed: oneOf(ScheduleMissed, '--missed', flags.missed),
    graceSeconds: secondsOf(flags.grace),
    concurrency: countOf('--concurrency', flags.concurrency),
    approvalWaitSeconds: secondsOf(flags.approvalWait, Math.ceil),
    maxOutputBytes: bytesOf('--max-output', flags.maxOutput),
    keepRuns: countOf('--keep-runs', flags.keepRuns),
    restrictions,
    notify: notifyOf(flags),
  })
}

async function targetOf(
  client: Client,
  { fleet, all, machine, selector, machines }: ScheduleFlags & FleetFlags,
  signal: AbortSignal,
): Promise<Pick<GivenSchedule, 'targetKind' | 'machineIds' | 'selector'>> {
  const given = [all === true, machine !== undefined, selector !== undefined, machines === false].filter(Boolean).length
  if (given > 1) throw new CmdopError('config', 'Expected one of --all, --machine, --selector and --no-machines.')
  if (all === true) return { targetKind: 'all_fleet_machines' }
  if (selector !== undefined) return { targetKind: 'selector', selector }
  if (machines === false) return { targetKind: 'specific_machines', machineIds: null }
  if (machine === undefined) return {}
  const idOf = async (reference: string) =>
    fleet === undefined
      ? (await client.machines.resolve(reference, { signal })).id
      : machineIdIn(client, { machine: reference }, signal)
  return { targetKind: 'specific_machines', machineIds: await Promise.all(machine.map(idOf)) }
}

function notifyOf({ notify, notifyOn }: ScheduleFlags): GivenSchedule['notify'] {
  if (notify === false) return null
  if (notify === undefined) {
    if (notifyOn !== undefined) throw new CmdopError('config', 'Expected --notify with --notify-on.')
    return undefined
  }
  const on = notifyOn?.map((each) => oneOf(ScheduleNotice, '--notify-on', each) ?? 'failure')
  return { webhookIds: notify, ...(on === undefined ? {} : { on }) }
}

async function readSchema(file: string): Promise<Record<string, unknown>> {
  try {
    const schema: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof schema === 'object' && schema !== null && !Array.isArray(schema))
      return schema as Record<string, unknown>
  } catch (cause) {
    throw new CmdopError('config', `The schema ${file} cannot be read as JSON.`, { cause })
  }
  throw new CmdopError('schema_invalid', `Expected ${file} to hold a JSON Schema.`)
}

function secondsOf(text: string | undefined, rounded = (seconds: number) => seconds): number | undefined {
  return text === undefined ? undefined : rounded(parseDuration(text) / 1000)
}

function countOf(option: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseCount(option, text)
}

function wholeOf(option: string, text: string | undefined): number | undefined {
  return text === '0' ? 0 : countOf(option, text)
}

function bytesOf(option: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : text === '0' ? 0 : parseBytes(option, text)
}

function oneOf<Options extends z.ZodEnum>(
  options: Options,
  name: string,
  text: string | undefined,
): z.output<Options> | undefined {
  if (text === undefined) return undefined
  const parsed = options.safeParse(text)
  if (parsed.success) return parsed.data
  throw new CmdopError('config', `Expected ${name} to be one of ${options.options.join(', ')}, got "${text}".`)
}

function without(given: { [Name in keyof GivenSchedule]: GivenSchedule[Name] | undefined }): GivenSchedule {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as GivenSchedule
}
