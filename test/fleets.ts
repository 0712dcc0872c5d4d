import { createHash, randomBytes } from 'node:crypto'
import type { Store } from '@cmdop/relay'

type Principal = Parameters<Store['principals']['create']>[0]

/** A key that is put into the store directly, past the relay. */
export interface DirectKey {
  readonly raw: string
  readonly id: string
  readonly fleetId: string
}

/** Another fleet beside the world's, with an owner's key. */
export async function addFleet(store: Store, name = 'other'): Promise<DirectKey> {
  const fleetId = `flt_${newId()}`
  const owner = principalOf(fleetId, 'owner')
  await store.fleets.create({ id: fleetId, name, slug: `${name}-${fleetId}`, createdAt: now() }, owner)
  return addKey(store, owner)
}

/** A key of a new principal; `expiresInMs` may be in the past. */
export async function addPrincipalKey(
  store: Store,
  fleetId: string,
  { role = 'owner', expiresInMs }: { role?: Principal['role']; expiresInMs?: number } = {},
): Promise<DirectKey> {
  const principal = principalOf(fleetId, role)
  await store.principals.create(principal)
  return addKey(store, principal, expiresInMs)
}

/** A machine that is in the store and has no daemon. */
export async function addSilentMachine(
  store: Store,
  fleetId: string,
  machine: { id?: string; name: string; hostname?: string; createdAt?: string },
): Promise<string> {
  const id = machine.id ?? `mch_${newId()}`
  const tokenId = newId()
  const createdBy = principalOf(fleetId, 'owner')
  await store.principals.create(createdBy)
  const expiresAt = new Date(Date.now() + 60_000).toISOString()
  const createdAt = machine.createdAt ?? now()
  const token = { id: tokenId, fleetId, secretHash: 'ab'.repeat(32), createdById: createdBy.id, createdAt }
  await store.enrollmentTokens.create({ ...token, expiresAt, maxUses: 1, uses: 0 })
  await store.machines.enroll(
    {
      id,
      fleetId,
      name: machine.name,
      hostname: machine.hostname ?? machine.name,
      os: 'linux',
      architecture: 'x64',
      agentVersion: '0.0.0',
      publicKey: PUBLIC_KEY,
      createdAt,
      lastSeenAt: null,
      disabledAt: null,
    },
    tokenId,
  )
  return id
}

async function addKey(store: Store, principal: Principal, expiresInMs?: number): Promise<DirectKey> {
  const id = newId()
  const secret = randomBytes(32).toString('base64url')
  await store.keys.create({
    id,
    fleetId: principal.fleetId,
    principalId: principal.id,
    name: 'of a test',
    secretHash: createHash('sha256').update(secret).digest('hex'),
    prefix: `cmdop_human_${id.slice(0, 6)}`,
    createdAt: now(),
    expiresAt: expiresInMs === undefined ? null : new Date(Date.now() + expiresInMs).toISOString(),
    lastUsedAt: null,
    revokedAt: null,
  })
  return { raw: `cmdop_human_${id}_${secret}`, id, fleetId: principal.fleetId }
}

function principalOf(fleetId: string, role: Principal['role']): Principal {
  return { id: `prn_${newId()}`, fleetId, kind: 'human', name: role, role, actsForId: null, createdAt: now() }
}

function newId(): string {
  return randomBytes(10).toString('hex')
}

function now(): string {
  return new Date().toISOString()
}

/** Of nobody: its private half was thrown away. */
const PUBLIC_KEY = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAFC3Nkr9ug95WnT+wYvNm7xdhtMslE7CsZk8UDS9e4V4=
-----END PUBLIC KEY-----
`
