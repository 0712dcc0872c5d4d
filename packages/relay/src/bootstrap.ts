import { generateKeyPairSync } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import { newId, newSecret } from './auth/secrets.ts'
import type { NewPrincipal, RelayKeyRow, Store } from './store/store.ts'

/** Makes fleet, owner and owner key at the first start, and returns that key: the only time it is seen. */
export async function bootstrapFleet(store: Store): Promise<string | undefined> {
  if ((await store.fleets.first()) !== undefined) return undefined
  const createdAt = new Date().toISOString()
  const fleetId = newId('flt_')
  const owner = newOwner(fleetId, createdAt)
  await store.fleets.create({ id: fleetId, name: 'default', slug: 'default', createdAt }, owner)
  return createKey(store, owner, 'first owner key')
}

/** Members that are looked at to find an owner. */
const MANY = 10_000

/** A new key of the first owner, for whoever holds the relay's data: the way back in when every key is lost. Shown once. */
export async function issueOwnerKey(store: Store, name: string): Promise<string> {
  const fleet = await store.fleets.first()
  if (fleet === undefined) throw new CmdopError('conflict', 'The relay has no fleet yet.')
  const { items } = await store.principals.members(fleet.id, { offset: 0, limit: MANY })
  const known = items.find(({ role }) => role === 'owner')
  const owner = known ?? newOwner(fleet.id, new Date().toISOString())
  if (known === undefined) await store.principals.create(owner)
  return createKey(store, owner, name)
}

function newOwner(fleetId: string, createdAt: string): NewPrincipal {
  return { id: newId('prn_'), fleetId, kind: 'human', name: 'owner', role: 'owner', actsForId: null, createdAt }
}

async function createKey(store: Store, owner: NewPrincipal, name: string): Promise<string> {
  const secret = newSecret('human')
  await store.keys.create({
    id: secret.id,
    fleetId: owner.fleetId,
    principalId: owner.id,
    name,
    secretHash: secret.hash,
    prefix: secret.prefix,
    createdAt: new Date().toISOString(),
    expiresAt: null,
    lastUsedAt: null,
    revokedAt: null,
  })
  return secret.raw
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
