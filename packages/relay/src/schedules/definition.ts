import { CmdopError, parseSelector, type ScheduleCreate, type ScheduleUpdate } from '@cmdop/protocol'
import type { z } from 'zod'
import type { ScheduleRow, ScheduleWork } from '../store/schedule-store.ts'
import type { Store } from '../store/store.ts'

/** What is given of a schedule's work. */
type Given = Partial<
  Omit<z.output<typeof ScheduleUpdate>, 'name' | 'description' | 'cron_expr' | 'timezone' | 'is_enabled'>
>

/** Changes of these are nobody's work: whoever makes them does not become who the schedule acts for. */
const OTHERS: readonly string[] = ['name', 'description', 'is_enabled', 'keep_runs', 'notify'] satisfies (
  | keyof ScheduleRow
  | keyof Given
  | 'is_enabled'
)[]

/** Whether it changes what is done, when, or where: then it is done for who changed it. */
export function changesWork(given: object): boolean {
  return Object.keys(given).some((name) => !OTHERS.includes(name))
}

/** The work of a new schedule. Throws `validation`. */
export function newWork(given: z.output<typeof ScheduleCreate>): ScheduleWork {
  const { name: _n, description: _d, cron_expr: _c, timezone: _t, is_enabled: _e, ...own } = given
  if (own.target_kind === 'specific_machines' && (own.machine_ids ?? []).length === 0)
    throw new CmdopError('validation', 'Expected machine_ids with at least one id for target_kind specific_machines.')
  const work = {
    ...own,
    command: own.command ?? '',
    prompt: own.prompt ?? null,
    output_schema: own.output_schema ?? null,
    machine_ids: own.machine_ids ?? [],
    selector: own.selector ?? null,
    restrictions: own.restrictions ?? null,
    notify: own.notify ?? null,
  }
  assertWork(work)
  return work
}

/** The work with what is changed: what is absent stays, null is none. A command takes the place of a prompt, and the other way. Throws `validation`. */
export function changedWork(before: ScheduleWork, given: Given): ScheduleWork {
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const { command, prompt, ...work } = { ...before, ...stated, ...replacing(given) } as ScheduleWork & Given
  const kind = work.target_kind ?? before.target_kind
  // What another kind of target had is not kept for it.
  const ids = given.machine_ids === undefined && kind !== 'specific_machines' ? [] : work.machine_ids
  const selector = given.selector === undefined && kind !== 'selector' ? null : work.selector
  const none = { output_schema: work.output_schema ?? null, restrictions: work.restrictions ?? null }
  const next = { ...work, ...none, command: command ?? '', prompt: prompt ?? null, notify: work.notify ?? null }
  const changed = { ...next, machine_ids: ids ?? [], selector: selector ?? null }
  assertWork(changed)
  return changed
}

/** What goes because something else takes its place, unless it is given too. */
function replacing({ command, prompt, output_schema: schema }: Given): Partial<ScheduleWork> {
  if (command != null && prompt === undefined)
    return { prompt: null, ...(schema === undefined ? { output_schema: null } : {}) }
  if (prompt != null && command === undefined) return { command: '' }
  return {}
}

/** Throws `validation` where a machine or a webhook is none of the fleet. */
export async function assertKnown(
  store: Store,
  fleetId: string,
  { machine_ids: machineIds, notify }: Pick<ScheduleWork, 'machine_ids' | 'notify'>,
): Promise<void> {
  if (machineIds.length > 0) {
    const names = await store.machines.namesOf(fleetId, machineIds)
    const unknown = machineIds.filter((id) => !names.has(id))
    if (unknown.length > 0)
      throw new CmdopError('validation', `There is no machine ${unknown.slice(0, 5).join(', ')} in your fleet.`)
  }
  if (notify === null) return
  const webhooks = await store.notifications.webhooks(fleetId)
  const other = notify.webhook_ids.find((id) => !webhooks.some((webhook) => webhook.id === id))
  if (other !== undefined) throw new CmdopError('validation', `There is no webhook ${other} in your fleet.`)
}

function assertWork(work: ScheduleWork): void {
  const { command, prompt, output_schema: schema, target_kind: kind, machine_ids: ids, selector } = work
  if ((command === '') === (prompt === null))
    throw new CmdopError('validation', 'Expected a command or a prompt, and not both.')
  if (schema !== null && prompt === null)
    throw new CmdopError(
      'validation',
      'Expected output_schema only with a prompt: a command has an exit code and output.',
    )
  if (kind !== 'specific_machines' && ids.length > 0)
    throw new CmdopError('validation', `Expected machine_ids only with target_kind specific_machines, not ${kind}.`)
  if ((kind === 'selector') !== (selector !== null))
    throw new CmdopError('validation', 'Expected a selector with target_kind selector, and with no other.')
  if (new Set(ids).size < ids.length) throw new CmdopError('validation', 'Expected each of machine_ids once.')
  if (selector !== null) parseSelector(selector)
}
