import { generateKeyPairSync } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import type { AuditTrail } from './audit/audit-trail.ts'
import { systemEntry } from './audit/entry.ts'
import { newId, newSecret } from './auth/secrets.ts'
import type { NewPrincipal, RelayKeyRow, Store } from './store/store.ts'

/** Makes fleet, owner and owner key at the first start, and returns that key: the only time it is seen. */
export async function bootstrapFleet(store: Store, audit: AuditTrail): Promise<string | undefined> {
  if ((await store.fleets.first()) !== undefined) return undefined
  const createdAt = new Date().toISOString()
  const fleetId = newId('flt_')
  const owner = newOwner(fleetId, createdAt)
  return withKey({ store, audit }, { owner, name: 'first owner key' }, async () => {
    await store.fleets.create({ id: fleetId, name: 'default', slug: 'default', createdAt }, owner)
  })
}

/** Members that are looked at to find an owner. */
const MANY = 10_000

/** A new key of the first owner, for whoever holds the relay's data: the way back in when every key is lost. Shown once. */
export async function issueOwnerKey(store: Store, audit: AuditTrail, name: string): Promise<string> {
  const fleet = await store.fleets.first()
  if (fleet === undefined) throw new CmdopError('conflict', 'The relay has no fleet yet.')
  const { items } = await store.principals.members(fleet.id, { offset: 0, limit: MANY })
  const known = items.find(({ role }) => role === 'owner')
  const owner = known ?? newOwner(fleet.id, new Date().toISOString())
  return withKey({ store, audit }, { owner, name }, async () => {
    if (known === undefined) await store.principals.create(owner)
  })
}

function newOwner(fleetId: string, createdAt: string): NewPrincipal {
  return { id: newId('prn_'), fleetId, kind: 'human', name: 'owner', role: 'owner', actsForId: null, createdAt }
}

/** A key for the owner whom the work makes sure of, with rows before and after: nobody calls who could be named. */
async function withKey(
  { store, audit }: { store: Store; audit: AuditTrail },
  { owner, name }: { owner: NewPrincipal; name: string },
  makeOwner: () => Promise<void>,
): Promise<string> {
  const { id, hash: secretHash, prefix, raw } = newSecret('human')
  const { fleetId, id: principalId } = owner
  const unused = { expiresAt: null, lastUsedAt: null, revokedAt: null }
  await audit.around({ ...systemEntry(fleetId, 'key.issue', `key:${id}`), onBehalfOf: principalId }, async () => {
    await makeOwner()
    const createdAt = new Date().toISOString()
    await store.keys.create({ id, fleetId, principalId, name, secretHash, prefix, createdAt, ...unused })
  })
  return raw
}

/** A new identity for a relay, or a set of them on one store. */
export function proposeRelayKey(): RelayKeyRow {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    relayId: newId('rly_'),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}
