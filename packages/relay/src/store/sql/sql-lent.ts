import type { Transaction } from 'kysely'
import type { PrincipalRow } from '../store.ts'
import type { Tables } from './tables.ts'

/**
 * Ends what a person, or what acts for him, has made that lets somebody in: keys, sessions and codes of others,
 * invitations, enrolment tokens. Gives the ids of the keys and sessions.
 */
export async function endLent(
  transaction: Transaction<Tables>,
  { id, fleetId }: Pick<PrincipalRow, 'id' | 'fleetId'>,
  at: string,
): Promise<string[]> {
  const revoked = await transaction
    .updateTable('apiKeys')
    .set({ revokedAt: at })
    .where('fleetId', '=', fleetId)
    .where('lentById', '=', id)
    .where('revokedAt', 'is', null)
    .returning('id')
    .execute()
  await transaction.deleteFrom('signInCodes').where('lentById', '=', id).execute()
  await transaction
    .updateTable('invitations')
    .set({ revokedAt: at })
    .where('fleetId', '=', fleetId)
    .where('invitedById', '=', id)
    .where('acceptedAt', 'is', null)
    .where('revokedAt', 'is', null)
    .execute()
  await transaction
    .updateTable('enrollmentTokens')
    .set((eb) => ({ maxUses: eb.ref('uses') }))
    .where('fleetId', '=', fleetId)
    .where('createdById', 'in', (eb) =>
      eb
        .selectFrom('principals')
        .select('id')
        .where((or) => or.or([or('id', '=', id), or('actsForId', '=', id)])),
    )
    .execute()
  return revoked.map((key) => key.id)
}
