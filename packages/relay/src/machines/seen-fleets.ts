import type { MachineFleet } from '@cmdop/protocol'
import { type Caller, isPersonAtHome } from '../auth/authenticate.ts'
import type { MachineRow, Store } from '../store/store.ts'

/** Fleets of one person that are looked at. */
const MAX_FLEETS = 1000

/** Says of a machine which fleets have or use it, of those that the caller may see: the one he acts in, and where he is a member. */
export type SeenFleets = (row: MachineRow) => MachineFleet[]

/** For these machines. */
export async function seenFleets(
  store: Pick<Store, 'fleets' | 'machineLinks'>,
  caller: Caller,
  rows: readonly MachineRow[],
): Promise<SeenFleets> {
  const [own, links] = await Promise.all([
    store.fleets.get(caller.fleetId),
    store.machineLinks.of(rows.map(({ id }) => id)),
  ])
  const seen = new Map<string, MachineFleet>()
  const isHere = links.length === 0 && rows.every(({ fleetId }) => fleetId === caller.fleetId)
  if (!isHere && (isPersonAtHome(caller) || caller.fleetId !== caller.key.fleetId)) {
    const { items } = await store.fleets.ofPerson(caller.key.principalId, { offset: 0, limit: MAX_FLEETS })
    for (const { fleet, role } of items)
      seen.set(fleet.id, { fleet_id: fleet.id, slug: fleet.slug, name: fleet.name, role })
  }
  if (own !== undefined) seen.set(own.id, { fleet_id: own.id, slug: own.slug, name: own.name, role: caller.role })
  const fleetsOf = ({ id, fleetId }: MachineRow) => [
    fleetId,
    ...links.filter(({ machineId }) => machineId === id).map((link) => link.fleetId),
  ]
  return (row) => fleetsOf(row).flatMap((fleetId) => seen.get(fleetId) ?? [])
}
