import { CmdopError, type MemberAdd, type MemberChange, type MemberInfo } from '@cmdop/protocol'
import type { z } from 'zod'
import type { PrincipalRow, Store } from '../store/store.ts'
import type { Caller } from './authenticate.ts'
import { assertMayGiveAll, assertRank } from './grants.ts'
import { newId } from './secrets.ts'

/** The member of the caller's fleet with this id or email. Throws `not_found`. */
export async function memberOf(
  store: Store,
  { fleetId }: Pick<Caller, 'fleetId'>,
  reference: string,
): Promise<PrincipalRow> {
  const found = reference.includes('@')
    ? await store.principals.memberByEmail(fleetId, reference)
    : await store.principals.get(reference)
  if (found?.fleetId === fleetId && found.kind === 'human' && found.removedAt === null) return found
  throw new CmdopError('not_found', 'There is no such member in your fleet; see: cmdop members list.')
}

/** Makes a member, who signs in with a code. Throws `permission` for a role above the caller's, `conflict`. */
export async function addMember(
  store: Store,
  caller: Caller,
  { email, role, groups, display_name: name }: z.output<typeof MemberAdd>,
): Promise<PrincipalRow> {
  assertRank(caller, role, `add a member with the role ${role}`)
  assertMayGiveAll(caller)
  const member: PrincipalRow = {
    id: newId('prn_'),
    fleetId: caller.fleetId,
    kind: 'human',
    name: name ?? email.split('@', 1)[0] ?? email,
    role,
    actsForId: null,
    createdAt: new Date().toISOString(),
    email,
    groups,
    invitedById: caller.principalId,
    removedAt: null,
  }
  await store.principals.create(member)
  return member
}

/**
 * Changes a member, and gives the keys that end by that. Neither he nor what he becomes may be above the caller. Throws
 * `permission`, `not_found`, and `conflict` for the last owner, or an email that is taken.
 */
export async function changeMember(
  store: Store,
  caller: Caller,
  { reference, change }: { reference: string; change: z.output<typeof MemberChange> },
): Promise<{ member: PrincipalRow; ended: readonly string[] }> {
  const member = await ranked(store, caller, reference)
  const { role, groups, email, display_name: name } = change
  if (role !== undefined) assertRank(caller, role, `give somebody the role ${role}`)
  if (role !== undefined || email !== undefined) assertMayGiveAll(caller)
  if (email !== undefined && email !== member.email) await assertMayChangeEmail(store, caller, member)
  const wanted = {
    ...(role === undefined ? {} : { role }),
    ...(groups === undefined ? {} : { groups }),
    ...(email === undefined ? {} : { email }),
    ...(name === undefined ? {} : { name }),
  }
  const ended = await store.principals.changeMember(member, wanted)
  return { member: { ...member, ...wanted }, ended }
}

/**
 * Who reads the mails of a member signs in as him. So the email of somebody who has ever signed in, or has a key, is changed
 * by nobody else, nor with a key or code of his that somebody else made.
 */
async function assertMayChangeEmail(store: Store, caller: Caller, { id, fleetId }: PrincipalRow): Promise<void> {
  if (id === caller.principalId && caller.key.lentById === null) return
  const { total } = await store.keys.list(fleetId, { principalId: id, offset: 0, limit: 1 })
  if (total === 0) return
  throw new CmdopError(
    'permission',
    'Only the person changes the email of a member who has signed in or has a key; or remove the member, and invite the new email.',
  )
}

/** The member of this id or email, who is not above the caller. Throws `not_found`, `permission`. */
export async function ranked(store: Store, caller: Caller, reference: string): Promise<PrincipalRow> {
  const member = await memberOf(store, caller, reference)
  assertRank(caller, member.role, `change a member with the role ${member.role}`)
  return member
}

/** As lists show it. */
export async function memberInfo(store: Store, member: PrincipalRow): Promise<MemberInfo> {
  const totp = await store.totp.get(member.id)
  return {
    user_id: member.id,
    email: member.email,
    display_name: member.name,
    role: member.role,
    groups: [...member.groups],
    joined_at: member.createdAt,
    invited_by_id: member.invitedById,
    totp: totp !== undefined && totp.confirmedAt !== null,
  }
}
