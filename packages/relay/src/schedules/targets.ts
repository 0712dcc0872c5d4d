import { CmdopError, parseSelector, selects } from '@cmdop/protocol'
import { labelsOf } from '../machines/labels.ts'
import type { ScheduleWork } from '../store/schedule-store.ts'
import type { MachineCursor, ListedMachine, Store } from '../store/store.ts'

/** Machines that are read at once. */
const PAGE = 500

/** A machine on which a run acts. */
export interface ScheduleMachine {
  readonly id: string
  /** Its id, where it is not there any more. */
  readonly name: string
}

/** The machines of a run, as they are now. Throws `not_found` where there is none. */
export async function machinesOf(
  store: Store,
  fleetId: string,
  work: Pick<ScheduleWork, 'target_kind' | 'machine_ids' | 'selector'>,
): Promise<ScheduleMachine[]> {
  const found = await find(store, fleetId, work)
  if (found.length === 0) throw new CmdopError('not_found', nobody(work))
  return found
}

async function find(
  store: Store,
  fleetId: string,
  { target_kind: kind, machine_ids: ids, selector }: Pick<ScheduleWork, 'target_kind' | 'machine_ids' | 'selector'>,
): Promise<ScheduleMachine[]> {
  if (kind === 'specific_machines') {
    const names = await store.machines.namesOf(fleetId, ids)
    return ids.map((id) => ({ id, name: names.get(id) ?? id }))
  }
  const wanted = kind === 'selector' ? parseSelector(selector ?? '') : undefined
  const machines: ScheduleMachine[] = []
  for await (const row of all(store, fleetId)) {
    const { id, name, hostname } = row
    if (wanted === undefined || selects(wanted, { id, name, hostname, labels: labelsOf(row) }))
      machines.push({ id, name })
  }
  return machines
}

async function* all(store: Store, fleetId: string): AsyncGenerator<ListedMachine> {
  for (let after: MachineCursor | undefined; ;) {
    const page = await store.machines.list(fleetId, { limit: PAGE, ...(after === undefined ? {} : { after }) })
    yield* page
    after = page.at(-1)
    if (page.length < PAGE || after === undefined) return
  }
}

function nobody({ target_kind: kind, selector }: Pick<ScheduleWork, 'target_kind' | 'selector'>): string {
  if (kind === 'all_fleet_machines') return 'The fleet has no machine; nothing ran.'
  if (kind === 'selector') return `No machine fits '${(selector ?? '').slice(0, 200)}'; nothing ran.`
  return 'The schedule names no machine; nothing ran.'
}
