import { CmdopError } from '@cmdop/protocol'
import type { Transaction } from 'kysely'
import { lockFleets } from './fleet-lock.ts'
import type { Tables } from './tables.ts'

/**
 * Does what may take its owner from a fleet, and undoes it where that leaves one without. `alsoOf`: a person, or all who sign in to a
 * fleet; the other fleets that he or they own keep an owner, too. The rows of the fleets are written first, in one order for all: who
 * comes second waits there, and sees what the first did. Throws `conflict`.
 */
export async function keepingOwners<Result>(
  transaction: Transaction<Tables>,
  {
    fleetId,
    alsoOf,
  }: { fleetId: string | undefined; alsoOf: { personId: string } | { homeFleetId: string } | undefined },
  work: () => Promise<Result>,
): Promise<Result> {
  const others = alsoOf === undefined ? [] : await ownedElsewhere(transaction, alsoOf)
  const home = alsoOf !== undefined && 'homeFleetId' in alsoOf ? [alsoOf.homeFleetId] : []
  await lockFleets(transaction, [...(fleetId === undefined ? [] : [fleetId]), ...home, ...others])
  // Of what came meanwhile nothing is locked.
  if (alsoOf !== undefined && (await ownedElsewhere(transaction, alsoOf)).some((id) => !others.includes(id)))
    throw new CmdopError('conflict', 'Somebody became an owner of another fleet meanwhile; try again.')
  const result = await work()
  if (fleetId !== undefined && !(await hasOwner(transaction, fleetId)))
    throw new CmdopError('conflict', 'This is the last owner of the fleet; make another member an owner first.')
  for (const other of others) {
    if (await hasOwner(transaction, other)) continue
    const { name, slug } = await transaction
      .selectFrom('fleets')
      .select(['name', 'slug'])
      .where('id', '=', other)
      .executeTakeFirstOrThrow()
    throw new CmdopError(
      'conflict',
      `The fleet ${name} (${slug}) would be left without an owner who signs in; make somebody else an owner there, or disable it first.`,
    )
  }
  return result
}

/** Fleets in use that are owned by who signs in to another one. */
async function ownedElsewhere(
  transaction: Transaction<Tables>,
  of: { personId: string } | { homeFleetId: string },
): Promise<string[]> {
  const rows = await transaction
    .selectFrom('principals')
    .innerJoin('fleets', 'fleets.id', 'principals.fleetId')
    .innerJoin('principals as person', 'person.id', 'principals.personId')
    .select('principals.fleetId')
    .distinct()
    .where('principals.kind', '=', 'human')
    .where('principals.role', '=', 'owner')
    .where('principals.removedAt', 'is', null)
    .where('fleets.disabledAt', 'is', null)
    .where((eb) => ('personId' in of ? eb('person.id', '=', of.personId) : eb('person.fleetId', '=', of.homeFleetId)))
    .execute()
  return rows.map(({ fleetId }) => fleetId)
}

/** Whether somebody owns it who can sign in: he, or the person he is elsewhere, is not removed, and that fleet is in use. */
async function hasOwner(transaction: Transaction<Tables>, fleetId: string): Promise<boolean> {
  const owner = await transaction
    .selectFrom('principals')
    .leftJoin('principals as person', 'person.id', 'principals.personId')
    .leftJoin('fleets as home', 'home.id', 'person.fleetId')
    .select('principals.id')
    .where('principals.fleetId', '=', fleetId)
    .where('principals.kind', '=', 'human')
    .where('principals.role', '=', 'owner')
    .where('principals.removedAt', 'is', null)
    .where('person.removedAt', 'is', null)
    .where('home.disabledAt', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return owner !== undefined
}
