import { type ApiKeyIssue, type ApiKeyIssued, CmdopError } from '@cmdop/protocol'
import type { z } from 'zod'
import { type PrincipalRow, roles, type Role, type Store } from '../store/store.ts'
import { assertUsable, type Caller } from './authenticate.ts'
import { newId, newSecret } from './secrets.ts'

const DAY_MS = 86_400_000

/** Keys read at once when the owners of a fleet are counted. */
const PAGE = 500

/**
 * A new key with a principal of its own. It can do no more than its issuer: no higher role, no longer life, and only a
 * person issues keys for people, and an AI operator only keys like its own; keys of AI operators and services act for the
 * person behind the issuer. Throws `permission`.
 */
export async function issueKey(
  store: Store,
  caller: Caller,
  issue: z.output<typeof ApiKeyIssue>,
): Promise<ApiKeyIssued> {
  assertRank(caller, issue.role, `issue a key with the role ${issue.role}`)
  if (issue.kind === 'human' && caller.principal.kind !== 'human') {
    throw new CmdopError('permission', `A key of kind human is issued by a person, not by ${caller.principal.kind}.`)
  }
  if (issue.kind !== 'ai' && caller.principal.kind === 'ai') {
    throw new CmdopError('permission', `An AI operator issues keys of kind ai, not of kind ${issue.kind}.`)
  }
  const secret = newSecret(issue.kind)
  const now = Date.now()
  const createdAt = new Date(now).toISOString()
  const expiresAt = earlier(
    issue.expires_in_days === undefined ? null : new Date(now + issue.expires_in_days * DAY_MS).toISOString(),
    caller.key.expiresAt,
  )
  const { kind, role, name } = issue
  const fleetId = caller.fleetId
  const principal = {
    id: newId('prn_'),
    fleetId,
    kind,
    name,
    role,
    actsForId: personBehind(caller.principal, kind),
    createdAt,
  }
  await store.principals.create(principal)
  await store.keys.create({
    id: secret.id,
    fleetId,
    principalId: principal.id,
    name,
    secretHash: secret.hash,
    prefix: secret.prefix,
    createdAt,
    expiresAt,
    lastUsedAt: null,
    revokedAt: null,
  })
  return { id: secret.id, fleet_id: fleetId, name, raw_token: secret.raw, expires_at: expiresAt }
}

/**
 * Revokes a key of the caller's fleet, of no higher role than the caller's. Throws `not_found`, `permission`, and
 * `conflict` for the last key of an owner, without which nobody could issue another.
 */
export async function revokeKey(store: Store, caller: Caller, keyId: string): Promise<void> {
  const key = await store.keys.get(keyId)
  const principal = key === undefined ? undefined : await store.principals.get(key.principalId)
  if (key === undefined || principal === undefined || key.fleetId !== caller.fleetId) {
    throw new CmdopError('not_found', 'There is no such API key in your fleet.')
  }
  assertRank(caller, principal.role, `revoke a key of the role ${principal.role}`)
  if (principal.role === 'owner' && !(await hasOtherOwner(store, caller.fleetId, keyId))) {
    throw new CmdopError('conflict', 'This is the last key of an owner; issue another one before you revoke it.')
  }
  await store.keys.revoke(caller.fleetId, keyId, new Date().toISOString())
}

function assertRank(caller: Caller, role: Role, what: string): void {
  if (roles.indexOf(role) >= roles.indexOf(caller.role)) return
  throw new CmdopError('permission', `Your role ${caller.role} may not ${what}.`)
}

function personBehind(issuer: PrincipalRow, kind: PrincipalRow['kind']): string | null {
  if (kind === 'human') return null
  return issuer.actsForId ?? issuer.id
}

function earlier(left: string | null, right: string | null): string | null {
  if (left === null || right === null) return left ?? right
  return left < right ? left : right
}

async function hasOtherOwner(store: Store, fleetId: string, keyId: string): Promise<boolean> {
  for (let offset = 0; ; offset += PAGE) {
    const { items } = await store.keys.list(fleetId, { offset, limit: PAGE })
    for (const key of items) {
      const isOther = key.id !== keyId && isUsable(key)
      if (isOther && (await store.principals.get(key.principalId))?.role === 'owner') return true
    }
    if (items.length < PAGE) return false
  }
}

function isUsable(key: Parameters<typeof assertUsable>[0]): boolean {
  try {
    assertUsable(key)
    return true
  } catch {
    return false
  }
}
