import type { Transaction } from 'kysely'
import type { Tables } from './tables.ts'

/** Writes the row of a fleet as it is: who comes second waits here, and then sees what the first did. */
export async function lockFleet(transaction: Transaction<Tables>, fleetId: string): Promise<void> {
  await transaction
    .updateTable('fleets')
    .set((eb) => ({ name: eb.ref('name') }))
    .where('id', '=', fleetId)
    .execute()
}

/** {@link lockFleet} of several, in one order for all: nobody waits for who waits for him. */
export async function lockFleets(transaction: Transaction<Tables>, fleetIds: readonly string[]): Promise<void> {
  for (const fleetId of [...new Set(fleetIds)].toSorted()) await lockFleet(transaction, fleetId)
}
