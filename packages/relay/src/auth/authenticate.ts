import { CmdopError } from '@cmdop/protocol'
import type { KeyRow, PrincipalRow, Store } from '../store/store.ts'
import type { Actor } from './authorise.ts'
import { hashSecret, matchesHash, parseSecret } from './secrets.ts'

/** How exact `last_used_at` of a key is, in milliseconds. */
const TOUCH_EVERY_MS = 60_000

/** A caller whose key was checked. */
export interface Caller extends Actor {
  readonly principal: PrincipalRow
  readonly key: KeyRow
}

/** A key and whose it is. */
export type OwnerOf = (keyId: string) => Promise<{ key?: KeyRow | undefined; principal?: PrincipalRow | undefined }>

/**
 * The caller behind a bearer key; `ownerOf` says whose it is, by default as the store has it now. Throws `auth`; the message
 * is the same for a wrong, unknown and foreign key.
 */
export async function authenticate(
  store: Store,
  bearer: string | undefined,
  ownerOf: OwnerOf = ownerIn(store),
): Promise<Caller> {
  if (bearer === undefined)
    throw new CmdopError('auth', 'Expected an API key in the Authorization header (Bearer cmdop_...).')
  const shown = parseSecret(bearer)
  const { key, principal } = shown === undefined ? {} : await ownerOf(shown.id)
  if (shown === undefined || key === undefined || !matchesHash(shown.secret, key.secretHash)) {
    throw new CmdopError('auth', 'The API key is not valid here; check CMDOP_TOKEN and the address of the relay.')
  }
  return callerOf(store, key, principal)
}

/** The caller behind a key that was checked before, as it is now: of who has signed in to a page. Throws `auth`. */
export async function authenticateKey(store: Store, keyId: string): Promise<Caller> {
  const { key, principal } = await ownerIn(store)(keyId)
  if (key === undefined) throw new CmdopError('auth', 'The API key is not there any more.')
  return callerOf(store, key, principal)
}

/** The caller behind a one-use ticket, which it uses up. */
export async function authenticateTicket(store: Store, ticket: string): Promise<Caller> {
  const row = await store.tickets.take(hashSecret(ticket), new Date().toISOString())
  const { key, principal } = row === undefined ? {} : await ownerIn(store)(row.keyId)
  if (key === undefined) throw new CmdopError('auth', 'The ticket is used up or expired; ask for a new one.')
  return callerOf(store, key, principal)
}

/** Throws `auth` when the key may no longer be used. */
export function assertUsable(key: KeyRow, now: number = Date.now()): void {
  if (key.revokedAt !== null) throw new CmdopError('auth', 'The API key was revoked; ask for a new one.')
  if (key.expiresAt !== null && Date.parse(key.expiresAt) <= now) {
    throw new CmdopError('auth', 'The API key has expired; ask for a new one.')
  }
}

/** Notes the use, at most once in {@link TOUCH_EVERY_MS}: it is a write. */
async function touch(store: Store, key: KeyRow): Promise<void> {
  if (!isUseOld(key)) return
  await store.keys.touch(key.id, new Date().toISOString())
}

/** Whether the next use of a key is to be noted. */
export function isUseOld({ lastUsedAt }: KeyRow): boolean {
  return lastUsedAt === null || Date.now() - Date.parse(lastUsedAt) >= TOUCH_EVERY_MS
}

/** Both are asked for at once, because every request waits for them. */
export function ownerIn(store: Store): OwnerOf {
  return async (keyId) => {
    const [key, principal] = await Promise.all([store.keys.get(keyId), store.principals.ofKey(keyId)])
    return { key, principal }
  }
}

async function callerOf(store: Store, key: KeyRow, principal: PrincipalRow | undefined): Promise<Caller> {
  assertUsable(key)
  if (principal === undefined) throw new CmdopError('auth', 'The owner of the API key no longer exists.')
  await touch(store, key)
  const { id: principalId, role, kind } = principal
  return { principalId, fleetId: key.fleetId, role, kind, principal, key }
}
