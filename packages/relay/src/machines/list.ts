import type { MachineFleet, MachineList, MachineListQuery, MachineSummary } from '@cmdop/protocol'
import type { z } from 'zod'
import type { Caller } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import type { Bus } from '../bus/bus.ts'
import { formatCursor, parseCursor } from '../http/cursor.ts'
import type { ListedMachine, Store } from '../store/store.ts'
import { presenceIn, summariesOf, summaryOf } from './summary.ts'

export interface ListContext {
  readonly store: Store
  readonly bus: Bus
}

/** One page; with a presence filter, pages of the store are read until the page is full. */
export async function listMachines(
  context: ListContext,
  caller: Caller,
  query: z.output<typeof MachineListQuery>,
): Promise<MachineList> {
  const { limit, presence, q, disabled } = query
  const items: MachineSummary[] = []
  const fleets = await fleetOf(context.store, caller)
  let after = query.cursor === undefined ? undefined : parseCursor('name', query.cursor)
  for (;;) {
    const rows = await context.store.machines.list(caller.fleetId, {
      limit: limit + 1,
      disabled: disabled === 'true',
      ...(after === undefined ? {} : { after }),
      ...(q === undefined ? {} : { query: q }),
    })
    const seen = rows.filter((row) => isListed(caller, row))
    const owners = await context.bus.owners(seen.map(({ id }) => id))
    const now = Date.now()
    for (const row of seen) {
      const surroundings = { owner: owners.get(row.id), now, fleets }
      if (presence !== 'any' && presenceIn(row, surroundings) !== presence) continue
      if (items.length === limit)
        return { items, next_cursor: formatCursor(items.at(-1), ({ name, id }) => [name, id]), has_more: true }
      items.push(summaryOf(row, surroundings))
    }
    const last = rows.at(-1)
    if (rows.length <= limit || last === undefined) return { items, next_cursor: null, has_more: false }
    after = { name: last.name, id: last.id }
  }
}

/** Machines as the caller sees them. */
export async function summariesFor(
  { store, bus }: ListContext,
  caller: Caller,
  rows: readonly ListedMachine[],
): Promise<MachineSummary[]> {
  return rows.length === 0 ? [] : summariesOf(bus, rows, await fleetOf(store, caller))
}

/** The one fleet in which machines that the caller sees are, as they say it. */
export async function fleetOf(store: Pick<Store, 'fleets'>, { fleetId, role }: Caller): Promise<MachineFleet[]> {
  const fleet = await store.fleets.get(fleetId)
  return fleet === undefined ? [] : [{ fleet_id: fleet.id, slug: fleet.slug, name: fleet.name, role }]
}

/** Whether the key is for this machine; lists have no others. */
export function isListed(caller: Caller, machine: ListedMachine): boolean {
  return authorise(caller, 'machine.list', { fleetId: machine.fleetId, machine }).allowed
}
