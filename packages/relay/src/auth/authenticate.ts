import { CmdopError, isCmdopError, type KeyScope } from '@cmdop/protocol'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { actorOf } from '../audit/entry.ts'
import { isConfirmed, type KeyRow, type PrincipalRow, type Store } from '../store/store.ts'
import { isAddressIn } from './addresses.ts'
import type { Actor } from './authorise.ts'
import {
  assertOwner,
  effectiveRole,
  idsBehind,
  leastRole,
  lendersOf,
  type Owner,
  type OwnerOf,
  ownerIn,
  type Reach,
  reachOf,
  scopesOf,
} from './owner.ts'
import { hashSecret, matchesHash, parseSecret } from './secrets.ts'

/** How exact `last_used_at` of a key is, in milliseconds. */
const TOUCH_EVERY_MS = 60_000

/** A caller whose key was checked. Its `role` is what it can do at most now, see {@link Actor}. */
export interface Caller extends Actor {
  readonly principal: PrincipalRow
  readonly key: KeyRow
  readonly scopes: readonly (readonly KeyScope[])[]
  /** Keys and principals whose end or change concerns this caller: its own, and those it acts for and came from. */
  readonly ids: ReadonlySet<string>
  /** Who else may have its key, see {@link lendersOf}. */
  readonly lenders: readonly string[]
  /** What its key, and those that one came from, limit: machines in a run, counted for each principal. */
  readonly reach: readonly Reach[]
  /** Where it comes from, as far as that is known. */
  readonly address?: string | undefined
}

/** How a caller comes. */
export interface Approach {
  /** Where the request comes from. Without it a key that is bound to addresses is refused. */
  readonly address?: string | undefined
  /** Default: as the store has it now. */
  readonly ownerOf?: OwnerOf
  /** Where it is written that a key is refused that is known, and whose secret was shown. */
  readonly audit?: AuditTrail
  readonly requestId?: string
  /** For setting up an authenticator and signing out, which come before everything else. */
  readonly beforeTotp?: boolean
}

/** The caller behind a bearer key or session. Throws `auth`; the message is the same for a wrong, unknown and foreign one. */
export async function authenticate(store: Store, bearer: string | undefined, approach: Approach = {}): Promise<Caller> {
  if (bearer === undefined)
    throw new CmdopError('auth', 'Expected an API key in the Authorization header (Bearer cmdop_...).')
  const shown = parseSecret(bearer)
  const owner = shown === undefined ? undefined : await (approach.ownerOf ?? ownerIn(store))(shown.id)
  if (shown === undefined || owner?.key === undefined || !matchesHash(shown.secret, owner.key.secretHash)) {
    throw new CmdopError('auth', 'The API key is not valid here; check CMDOP_TOKEN and the address of the relay.')
  }
  return knownCaller(store, owner, approach)
}

/** The caller behind a key that was checked before, as it is now: of who has signed in to a page. Throws `auth`. */
export async function authenticateKey(store: Store, keyId: string, approach: Approach): Promise<Caller> {
  return knownCaller(store, await ownerIn(store)(keyId), approach)
}

/** The caller behind a one-use ticket, which it uses up. */
export async function authenticateTicket(store: Store, ticket: string, approach: Approach = {}): Promise<Caller> {
  const row = await store.tickets.take(hashSecret(ticket), new Date().toISOString())
  const owner = row === undefined ? undefined : await ownerIn(store)(row.keyId)
  if (owner?.key === undefined) throw new CmdopError('auth', 'The ticket is used up or expired; ask for a new one.')
  return knownCaller(store, owner, approach)
}

/** The same caller as it is now, in the fleet that it acts in. Throws `auth` when it is no more. */
export async function refreshCaller(
  store: Store,
  { key, fleetId, address }: Pick<Caller, 'fleetId' | 'address'> & { readonly key: Pick<KeyRow, 'id'> },
): Promise<Caller> {
  const owner = await ownerIn(store)(key.id)
  const caller = toCaller(owner)
  await assertTotp(store, caller)
  const there = await callerIn(store, caller, fleetId)
  if (there.fleetId === fleetId) return { ...there, address }
  throw new CmdopError('auth', 'You are no member of that fleet any more.')
}

/**
 * The caller as the member that the same person is of another fleet, for a route that names the fleet. Only a person comes so far:
 * with a key or session of the fleet where he signs in, which has no scopes, came from no other key, and which nobody made for
 * him, who could use it too. Everybody else stays as he is, and finds nothing there. Throws `auth` where that fleet asks for an
 * authenticator, and `permission` for who could be somebody else by now, until that fleet lets him in again.
 */
export async function callerIn(store: Store, caller: Caller, fleetId: string): Promise<Caller> {
  if (fleetId === caller.fleetId || !isPersonAtHome(caller)) return caller
  const member = await store.principals.ofPerson(caller.principalId, fleetId)
  if (member === undefined) return caller
  if (!isConfirmed(member, caller.principal))
    throw new CmdopError(
      'permission',
      'Where you sign in, somebody else got a way to sign in as you; an owner of this fleet confirms that you are you: by adding your email again.',
    )
  await assertTotp(store, caller, fleetId)
  return {
    ...caller,
    principalId: member.id,
    principal: member,
    fleetId,
    role: leastRole([caller.key.role, member.role]),
    ids: new Set([...caller.ids, member.id]),
  }
}

/** Whether this is a person with all that he may do: see {@link callerIn}. */
export function isPersonAtHome({ kind, principal, key, scopes, lenders }: Caller): boolean {
  const isOwn = kind === 'human' && principal.kind === 'human' && principal.actsForId === null
  return isOwn && principal.personId === null && key.parentId === null && scopes.length === 0 && lenders.length === 0
}

/** Whether the next use of a key is to be noted. */
export function isUseOld({ lastUsedAt }: KeyRow): boolean {
  return lastUsedAt === null || Date.now() - Date.parse(lastUsedAt) >= TOUCH_EVERY_MS
}

/** {@link callerOf}; who has shown a key that may not be used, or not from there, has a row. */
async function knownCaller(store: Store, owner: Owner, approach: Approach): Promise<Caller> {
  try {
    return await callerOf(store, owner, approach)
  } catch (error) {
    if (isCmdopError(error) && error.code === 'auth') await noteRefusal(owner, approach)
    throw error
  }
}

/** One a minute for each key: nobody fills the log with a key that he has lost. */
async function noteRefusal({ key, principal }: Owner, { audit, address, requestId }: Approach): Promise<void> {
  if (audit === undefined || key === undefined || principal === undefined) return
  const { fleetId, id: keyId, principalId } = key
  const actor = actorOf({ fleetId, principalId, principal, key })
  const subject = `key:${keyId}${address === undefined ? '' : ` from ${address}`}`
  await audit.denySeldom(keyId, { ...actor, action: 'key.use', subject, requestId: requestId ?? null, code: 'auth' })
}

async function callerOf(store: Store, owner: Owner, { address, beforeTotp }: Approach): Promise<Caller> {
  const caller = toCaller(owner)
  const { key } = caller
  if (key.ipRanges !== null && (address === undefined || !isAddressIn(address, key.ipRanges)))
    throw new CmdopError('auth', `The API key may not be used from ${address ?? 'an unknown address'}.`)
  if (beforeTotp !== true) await assertTotp(store, caller)
  // At most once in a while: it is a write.
  if (isUseOld(key)) await store.keys.touch(key.id, new Date().toISOString())
  return { ...caller, address }
}

/** Who may do what this owner may. Throws `auth` when that is nobody any more. */
export function toCaller(owner: Owner): Caller {
  assertOwner(owner)
  const { key, principal } = owner as { key: KeyRow; principal: PrincipalRow }
  return {
    principalId: principal.id,
    fleetId: key.fleetId,
    role: effectiveRole(owner),
    kind: principal.kind,
    scopes: scopesOf(owner),
    reach: reachOf(owner),
    principal,
    key,
    ids: new Set(idsBehind(owner)),
    lenders: lendersOf(owner),
  }
}

/** Where the fleet asks everybody for an authenticator, who signed in without one sets it up first. Keys are not asked. */
async function assertTotp(
  store: Store,
  { key, principalId, fleetId: own }: Caller,
  fleetId: string = own,
): Promise<void> {
  if (key.credential !== 'session') return
  const [settings, totp] = await Promise.all([store.fleets.settings(fleetId), store.totp.get(principalId)])
  if (settings?.mfaRequired !== 'required' || (totp !== undefined && totp.confirmedAt !== null)) return
  const fleet = await store.fleets.get(fleetId)
  throw new CmdopError(
    'auth',
    `The fleet ${fleet?.name ?? fleetId} asks for an authenticator; set one up first: cmdop login totp.`,
    { details: { totp: 'setup' } },
  )
}
