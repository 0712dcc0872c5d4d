import { type ApiKeyIssue, type ApiKeyIssued, CmdopError } from '@cmdop/protocol'
import type { z } from 'zod'
import type { KeyRow, NewKey, PrincipalRow, Store } from '../store/store.ts'
import type { Caller } from './authenticate.ts'
import { authorise } from './authorise.ts'
import { assertMayGiveAll, assertRank, limitsWithin } from './grants.ts'
import { memberOf } from './members.ts'
import { effectiveRole, leastRole, type Owner, ownerIn } from './owner.ts'
import { newId, newSecret } from './secrets.ts'

const DAY_MS = 86_400_000

/**
 * A new key. It can do no more than its issuer, see {@link limitsWithin}. One of kind human is the issuer's own, or of the
 * member it names, for who may manage members; operators and services get a principal of their own, which acts for the
 * person behind the issuer. An AI operator issues only keys like its own. Throws `permission`, `not_found`.
 */
export async function issueKey(
  store: Store,
  caller: Caller,
  issue: z.output<typeof ApiKeyIssue>,
): Promise<ApiKeyIssued> {
  const { kind, role, name, expires_in_days: days } = issue
  assertRank(caller, role, `issue a key with the role ${role}`)
  if (kind !== 'ai' && caller.kind === 'ai')
    throw new CmdopError('permission', `An AI operator issues keys of kind ai, not of kind ${kind}.`)
  if (kind === 'human' && caller.kind !== 'human')
    throw new CmdopError('permission', `A key of kind human is issued by a person, not by ${caller.kind}.`)
  if (kind !== 'human' && issue.member !== undefined)
    throw new CmdopError('validation', 'Expected member for a key of kind human only.')
  const now = Date.now()
  const limits = limitsWithin(caller, {
    scopes: issue.scopes,
    ipRanges: issue.ip_ranges,
    maxTargetsPerRun: issue.max_targets_per_run,
    expiresAt: days === undefined ? null : new Date(now + days * DAY_MS).toISOString(),
  })
  const createdAt = new Date(now).toISOString()
  const principal =
    kind === 'human'
      ? await personFor(store, caller, issue.member)
      : await createOperator(store, caller, { kind, role, name, createdAt })
  const { row, raw } = newKey(kind, { principal, name, createdAt })
  // Of people the key alone is limited; what an operator issues ends with the key it used.
  const parentId = caller.kind === 'human' ? null : caller.key.id
  // What an operator is issued with by a key that somebody else has, he has too.
  const lentById = kind === 'human' ? lentBy(caller, principal) : caller.key.lentById
  await store.keys.create({ ...row, ...limits, role, parentId, lentById })
  return issued({ ...row, ...limits }, raw)
}

/**
 * A key in the place of another one, with its role and limits, and as long a life; the old one goes on for
 * `overlapSeconds`. Throws `not_found`, `permission`, and `conflict` for a session, and when it has ended or was rotated
 * before.
 */
export async function rotateKey(
  store: Store,
  caller: Caller,
  { keyId, overlapSeconds }: { keyId: string; overlapSeconds: number },
): Promise<ApiKeyIssued> {
  const { key, principal, owner } = await findKey(store, caller, keyId)
  assertRank(caller, effectiveRole(owner), 'rotate a key of a higher role')
  assertMayRotate(caller, { key, principal })
  const lentById = personBehind(principal) === personBehind(caller.principal) ? key.lentById : null
  if (key.credential !== 'key')
    throw new CmdopError('conflict', 'A session is not rotated; sign in again (cmdop login), or issue a key.')
  const now = Date.now()
  const lifeMs = key.expiresAt === null ? undefined : Date.parse(key.expiresAt) - Date.parse(key.createdAt)
  const limits = limitsWithin(caller, {
    scopes: key.scopes ?? undefined,
    ipRanges: key.ipRanges ?? undefined,
    maxTargetsPerRun: key.maxTargetsPerRun ?? undefined,
    expiresAt: lifeMs === undefined ? null : new Date(now + lifeMs).toISOString(),
  })
  const kind = kindOf(principal)
  const { row, raw } = newKey(kind, { principal, name: key.name, createdAt: new Date(now).toISOString() })
  const rotated = {
    ...row,
    ...limits,
    role: key.role,
    parentId: key.parentId,
    rotatedFrom: key.id,
    lentById: lentById ?? lentBy(caller, principal),
  }
  if (!(await store.keys.rotate(rotated, new Date(now + overlapSeconds * 1000).toISOString())))
    throw new CmdopError('conflict', 'The key has ended, or was rotated before; issue a new one.')
  return issued(rotated, raw)
}

/**
 * Revokes a key or session of the caller's fleet, of no higher role than the caller's. Throws `not_found`, `permission`, and
 * `conflict` for the last key of an owner, without which nobody could issue another.
 */
export async function revokeKey(store: Store, caller: Caller, keyId: string): Promise<void> {
  const { owner } = await findKey(store, caller, keyId)
  const role = effectiveRole(owner)
  assertRank(caller, role, `revoke a key of the role ${role}`)
  await store.keys.revoke(caller.fleetId, keyId, new Date().toISOString())
}

/** Whether it is a key or a session of this person, or of an operator or service that acts for it. */
export async function isOwnKey(
  store: Store,
  { kind, fleetId, principalId }: Pick<Caller, 'kind' | 'fleetId' | 'principalId'>,
  keyId: string,
): Promise<boolean> {
  if (kind !== 'human') return false
  const { key, principal, behind } = await ownerIn(store)(keyId)
  return key?.fleetId === fleetId && [principal, ...behind].some((each) => each?.id === principalId)
}

/** What a bearer of the key is, for lists. */
export function kindOf(principal: Pick<PrincipalRow, 'kind'>): 'human' | 'ai' | 'service' {
  return principal.kind === 'human' || principal.kind === 'ai' ? principal.kind : 'service'
}

/** The person who made a key; with one that somebody else had issued to him it may have been that other, who is named then. */
export function makerOf({ lentById }: Pick<KeyRow, 'lentById'>, principal: PrincipalRow): string {
  return lentById ?? personBehind(principal)
}

async function findKey(
  store: Store,
  caller: Caller,
  keyId: string,
): Promise<{ key: KeyRow; principal: PrincipalRow; owner: Owner }> {
  const owner = await ownerIn(store)(keyId)
  const { key, principal } = owner
  if (key !== undefined && principal !== undefined && key.fleetId === caller.fleetId) return { key, principal, owner }
  throw new CmdopError('not_found', 'There is no API key with this id in your fleet; see: cmdop keys list.')
}

/** Of a key of kind human: the person, of no higher role than the caller. */
async function personFor(store: Store, caller: Caller, member: string | undefined): Promise<PrincipalRow> {
  if (member === undefined) return caller.principal
  const person = await memberOf(store, caller, member)
  if (person.id === caller.principalId) return person
  assertManages(caller)
  assertRank(caller, person.role, `issue a key of a member with the role ${person.role}`)
  return person
}

/** Who has a key that is made for somebody else; what one makes for oneself is as good as what one made it with. */
function lentBy({ principal, key }: Caller, owner: Pick<PrincipalRow, 'id' | 'actsForId'>): string | null {
  const lender = personBehind(principal)
  return lender === personBehind(owner) ? key.lentById : lender
}

function personBehind({ id, actsForId }: Pick<PrincipalRow, 'id' | 'actsForId'>): string {
  return actsForId ?? id
}

/**
 * Who has the new key acts by it: a program rotates its own and what it issued, a person his own and those of what acts
 * for him, and of other people who may manage them.
 */
function assertMayRotate(caller: Caller, { key, principal }: { key: KeyRow; principal: PrincipalRow }): void {
  if (principal.id === caller.principalId) return
  if (caller.kind !== 'human') {
    if (key.parentId === caller.key.id) return
    throw new CmdopError('permission', `A key of kind ${caller.kind} rotates only itself and those that it issued.`)
  }
  if (principal.kind === 'human') return assertManages(caller)
  if (principal.actsForId !== caller.principalId)
    throw new CmdopError('permission', `${principal.name} acts for somebody else, who can rotate its key; revoke it.`)
}

/** Whose key one has, as him one acts. */
function assertManages(caller: Caller): void {
  const decision = authorise(caller, 'member.manage', caller)
  if (!decision.allowed) throw new CmdopError(decision.code, decision.reason)
  assertMayGiveAll(caller, { isPersonal: true })
}

async function createOperator(
  store: Store,
  caller: Caller,
  given: Pick<PrincipalRow, 'kind' | 'role' | 'name' | 'createdAt'>,
): Promise<Pick<PrincipalRow, 'id' | 'fleetId' | 'actsForId'>> {
  const { principal, fleetId } = caller
  const operator = { ...given, id: newId('prn_'), fleetId, actsForId: principal.actsForId ?? principal.id }
  await store.principals.create({ ...operator, role: leastRole([given.role, caller.role]) })
  return operator
}

function newKey(
  kind: 'human' | 'ai' | 'service',
  { principal, name, createdAt }: { principal: Pick<PrincipalRow, 'id' | 'fleetId'>; name: string; createdAt: string },
): { row: NewKey; raw: string } {
  const { id, hash: secretHash, prefix, raw } = newSecret(kind)
  const blank = { expiresAt: null, lastUsedAt: null, revokedAt: null }
  const { id: principalId, fleetId } = principal
  return { row: { id, fleetId, principalId, name, secretHash, prefix, createdAt, ...blank }, raw }
}

function issued({ id, fleetId, name, expiresAt }: NewKey, raw: string): ApiKeyIssued {
  return { id, fleet_id: fleetId, name, raw_token: raw, expires_at: expiresAt }
}
