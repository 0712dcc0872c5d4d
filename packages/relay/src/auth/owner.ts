import { CmdopError, type KeyScope } from '@cmdop/protocol'
import { type KeyRow, type PrincipalRow, roles, type Role, type Store } from '../store/store.ts'

/** Principals that one may stand before another, and keys that came from one another, at most. */
const MAX_CHAIN = 8

/** A key, whose it is, and everybody it can do no more than. */
export interface Owner {
  readonly key?: KeyRow | undefined
  readonly principal?: PrincipalRow | undefined
  /** Whom the principal acts for, the nearest first: it can do no more than they. */
  readonly behind: readonly PrincipalRow[]
  /** Who made the key for somebody else. */
  readonly lender?: PrincipalRow | undefined
  /** Of the key that this one came from. */
  readonly parent?: Owner | undefined
}

/** Says whose a key is. */
export type OwnerOf = (keyId: string) => Promise<Owner>

/** As the store has it now. Key and principal are asked for at once, because every request waits for them. */
export function ownerIn(store: Store): OwnerOf {
  const read = async (keyId: string, depth: number): Promise<Owner> => {
    if (depth > MAX_CHAIN) throw new CmdopError('auth', 'The API key came from too many others.')
    const [key, principal] = await Promise.all([store.keys.get(keyId), store.principals.ofKey(keyId)])
    const behind = await readBehind(store, principal)
    const lender = key?.lentById == null ? undefined : await store.principals.get(key.lentById)
    const owner = { key, principal, behind, lender }
    return key?.parentId == null ? owner : { ...owner, parent: await read(key.parentId, depth + 1) }
  }
  return (keyId) => read(keyId, 0)
}

async function readBehind(store: Store, principal: PrincipalRow | undefined): Promise<PrincipalRow[]> {
  const behind: PrincipalRow[] = []
  for (let next = principal?.actsForId ?? null; next !== null;) {
    const person = await store.principals.get(next)
    if (person === undefined || behind.length === MAX_CHAIN)
      throw new CmdopError('auth', 'Nobody knows whom this key acts for.')
    behind.push(person)
    next = person.actsForId
  }
  return behind
}

/** Throws `auth` when the key, one that it came from, one whom it acts for or who made it for somebody else is no more. */
export function assertOwner({ key, principal, behind, lender, parent }: Owner, now: number = Date.now()): void {
  if (key === undefined || principal === undefined)
    throw new CmdopError('auth', 'The owner of the API key no longer exists.')
  assertUsable(key, now)
  const removed = [principal, ...behind].find(({ removedAt }) => removedAt !== null)
  if (removed !== undefined) throw new CmdopError('auth', `${removed.name} is no member of the fleet any more.`)
  if (lender !== undefined && lender.removedAt !== null)
    throw new CmdopError(
      'auth',
      `${lender.name}, who made this key, is no member of the fleet any more; sign in again.`,
    )
  if (parent !== undefined) assertOwner(parent, now)
}

/** Throws `auth` when the key may no longer be used. */
export function assertUsable(key: KeyRow, now: number = Date.now()): void {
  const isSession = key.credential === 'session'
  if (key.fleetDisabledAt !== null) throw new CmdopError('auth', 'The fleet of this key is disabled.')
  if (key.revokedAt !== null) {
    if (isSession) throw new CmdopError('auth', 'The session was ended; sign in again: cmdop login.')
    throw new CmdopError('auth', 'The API key was revoked; ask for a new one.')
  }
  if (key.expiresAt !== null && Date.parse(key.expiresAt) <= now) {
    if (isSession) throw new CmdopError('auth', 'The session has expired; sign in again: cmdop login.')
    throw new CmdopError('auth', 'The API key has expired; ask for a new one.')
  }
}

/** The least of all roles that are in question. */
export function effectiveRole({ key, principal, behind, parent }: Owner): Role {
  const known = [key?.role, principal?.role ?? 'viewer', ...behind.map(({ role }) => role)]
  return leastRole([...known, ...(parent === undefined ? [] : [effectiveRole(parent)])])
}

/** Scopes of the key and of those that it came from; a key without any does not limit. */
export function scopesOf({ key, parent }: Owner): (readonly KeyScope[])[] {
  const own = key?.scopes ?? null
  return [...(own === null ? [] : [own]), ...(parent === undefined ? [] : scopesOf(parent))]
}

/** How many machines the calls of a principal reach in one run. */
export interface Reach {
  readonly principalId: string
  readonly max: number
}

/** Of the key and of those that it came from; of the principal, so that a key that takes the place of another counts on. */
export function reachOf({ key, principal, parent }: Owner): Reach[] {
  const max = key?.maxTargetsPerRun ?? null
  const own = max === null || principal === undefined ? [] : [{ principalId: principal.id, max }]
  return [...own, ...(parent === undefined ? [] : reachOf(parent))]
}

/** Who made the key, or one that it came from, for somebody else: they may have it, too. */
export function lendersOf({ key, parent }: Owner): string[] {
  const own = key?.lentById == null ? [] : [key.lentById]
  return [...own, ...(parent === undefined ? [] : lendersOf(parent))]
}

/** Ids of the keys and principals whose end or change is one of this owner. */
export function idsBehind({ key, principal, behind, lender, parent }: Owner): string[] {
  const own = [key?.id, principal?.id, lender?.id, ...behind.map(({ id }) => id)].filter((id) => id !== undefined)
  return [...own, ...(parent === undefined ? [] : idsBehind(parent))]
}

/** The least mighty; null and undefined do not limit. */
export function leastRole(given: readonly (Role | null | undefined)[]): Role {
  const index = given.reduce((least, role) => Math.max(least, role == null ? 0 : roles.indexOf(role)), 0)
  return roles[index] ?? 'viewer'
}
