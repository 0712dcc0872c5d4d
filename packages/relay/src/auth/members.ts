import { CmdopError } from '@cmdop/protocol'
import type { PrincipalRow, Store } from '../store/store.ts'
import type { Caller } from './authenticate.ts'

/** The member of the caller's fleet with this id or email. Throws `not_found`. */
export async function memberOf(
  store: Store,
  { fleetId }: Pick<Caller, 'fleetId'>,
  reference: string,
): Promise<PrincipalRow> {
  const found = reference.includes('@')
    ? await store.principals.memberByEmail(fleetId, reference)
    : await store.principals.get(reference)
  if (found?.fleetId === fleetId && found.kind === 'human' && found.removedAt === null) return found
  throw new CmdopError('not_found', 'There is no such member in your fleet; see: cmdop members list.')
}
