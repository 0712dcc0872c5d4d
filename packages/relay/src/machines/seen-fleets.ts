import type { MachineFleet } from '@cmdop/protocol'
import { type Caller, isPersonAtHome } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import { leastRole } from '../auth/owner.ts'
import type { FleetRow, MachineRow, Role, Store } from '../store/store.ts'

/** Fleets of one person that are looked at. */
const MAX_FLEETS = 1000

/** Says of a machine which fleets have or use it, of those that the caller may see. */
export type SeenFleets = (row: MachineRow) => MachineFleet[]

/**
 * For these machines: the fleet that the caller acts in, those where the person is a member, and for who manages a machine at home
 * every fleet that uses it.
 */
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
  const isOnlyHere = links.length === 0 && rows.every(({ fleetId }) => fleetId === caller.fleetId)
  if (!isOnlyHere && (isPersonAtHome(caller) || caller.fleetId !== caller.key.fleetId)) {
    const { items } = await store.fleets.ofPerson(caller.key.principalId, { offset: 0, limit: MAX_FLEETS })
    for (const { fleet, role } of items) seen.set(fleet.id, shown(fleet, leastRole([caller.key.role, role])))
  }
  if (own !== undefined) seen.set(own.id, shown(own, caller.role))
  const users = new Map<string, MachineFleet>()
  for (const fleetId of new Set(links.map((link) => link.fleetId))) {
    const fleet = await store.fleets.get(fleetId)
    if (fleet !== undefined) users.set(fleetId, shown(fleet, null))
  }
  return (machine) => {
    const { allowed } = authorise(caller, 'machine.manage', { fleetId: machine.fleetId, machine })
    const using = links.filter(({ machineId }) => machineId === machine.id)
    const known = (fleetId: string) => seen.get(fleetId) ?? (allowed ? users.get(fleetId) : undefined)
    return [machine.fleetId, ...using.map((link) => link.fleetId)].flatMap((fleetId) => known(fleetId) ?? [])
  }
}

function shown({ id, slug, name }: FleetRow, role: Role | null): MachineFleet {
  return { fleet_id: id, slug, name, role }
}
