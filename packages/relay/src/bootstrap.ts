import { generateKeyPairSync } from 'node:crypto'
import { newId, newSecret } from './auth/secrets.ts'
import type { RelayKeyRow, Store } from './store/store.ts'

/** Makes fleet, owner and owner key at the first start, and returns that key: the only time it is seen. */
export async function bootstrapFleet(store: Store): Promise<string | undefined> {
  if ((await store.fleets.first()) !== undefined) return undefined
  const createdAt = new Date().toISOString()
  const fleetId = newId('flt_')
  const principalId = newId('prn_')
  const secret = newSecret('human')
  const owner = { id: principalId, fleetId, kind: 'human', name: 'owner', role: 'owner', actsForId: null, createdAt } as const
  await store.fleets.create({ id: fleetId, name: 'default', slug: 'default', createdAt }, owner)
  await store.keys.create({
    id: secret.id,
    fleetId,
    principalId,
    name: 'first owner key',
    secretHash: secret.hash,
    prefix: secret.prefix,
    createdAt,
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
