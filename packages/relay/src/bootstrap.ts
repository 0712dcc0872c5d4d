import { generateKeyPairSync } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import type { AuditTrail } from './audit/audit-trail.ts'
import { type AuditEntry, systemEntry } from './audit/entry.ts'
import { newId, newSecret } from './auth/secrets.ts'
import type { NewKey, NewPrincipal, RelayKeyRow, Store } from './store/store.ts'

/** Makes fleet, owner and owner key at the first start, all at once, and returns that key: the only time it is seen. */
export async function bootstrapFleet(store: Store, audit: AuditTrail): Promise<string | undefined> {
  if ((await store.fleets.first()) !== undefined) return undefined
  const createdAt = new Date().toISOString()
  const fleetId = newId('flt_')
  const owner = newOwner(fleetId, createdAt)
  const { row, raw } = newKey(owner, 'first owner key')
  await audit.around(issuing(row), () =>
    store.fleets.create({ id: fleetId, name: 'default', slug: 'default', createdAt }, owner, row),
  )
  return raw
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
  const { row, raw } = newKey(owner, name)
  await audit.around(issuing(row), async () => {
    if (known === undefined) await store.principals.create(owner)
    await store.keys.create(row)
  })
  return raw
}

function newOwner(fleetId: string, createdAt: string): NewPrincipal {
  return { id: newId('prn_'), fleetId, kind: 'human', name: 'owner', role: 'owner', actsForId: null, createdAt }
}

function newKey({ id: principalId, fleetId }: NewPrincipal, name: string): { row: NewKey; raw: string } {
  const { id, hash: secretHash, prefix, raw } = newSecret('human')
  const blank = { expiresAt: null, lastUsedAt: null, revokedAt: null }
  const createdAt = new Date().toISOString()
  return { row: { id, fleetId, principalId, name, secretHash, prefix, createdAt, ...blank }, raw }
}

/** Nobody calls who could be named. */
function issuing({ id, fleetId, principalId }: NewKey): AuditEntry {
  return { ...systemEntry(fleetId, 'key.issue', `key:${id}`), onBehalfOf: principalId }
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
