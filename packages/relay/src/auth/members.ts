import { CmdopError, type MemberAdd, type MemberChange, type MemberInfo } from '@cmdop/protocol'
import type { z } from 'zod'
import { isConfirmed, type PrincipalRow, type Store } from '../store/store.ts'
import type { Caller } from './authenticate.ts'
import { assertMayGiveAll, assertRank } from './grants.ts'
import { matrix } from './authorise.ts'
import { leastRole } from './owner.ts'
import { newId } from './secrets.ts'

/** Members that are read at once when something concerns all of them. */
const PAGE = 500

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

/**
 * Makes a member, who signs in with a code; somebody who signs in elsewhere, and could be somebody else by now, is let in again as
 * what he is. Throws `permission` for a role above the caller's, `conflict`.
 */
export async function addMember(
  store: Store,
  caller: Caller,
  { email, role, groups, display_name: name }: z.output<typeof MemberAdd>,
): Promise<PrincipalRow> {
  assertRank(caller, role, `add a member with the role ${role}`)
  assertMayGiveAll(caller)
  const confirmed = await confirmMember(store, caller, email)
  if (confirmed !== undefined) return confirmed
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
    personId: null,
    confirmedAt: null,
    controlChangedAt: null,
  }
  const known = await knownPerson(store, caller, email)
  const linked =
    known === undefined ? member : { ...member, name: name ?? known.name, personId: known.personId ?? known.id }
  await store.principals.create(linked)
  return linked
}

/** Lets a member in again whom {@link isConfirmed} does not let act; undefined for everybody else. */
async function confirmMember(store: Store, caller: Caller, email: string): Promise<PrincipalRow | undefined> {
  const member = await store.principals.memberByEmail(caller.fleetId, email)
  const person = member?.personId == null ? undefined : await store.principals.get(member.personId)
  if (member === undefined || person === undefined || isConfirmed(member, person)) return undefined
  assertRank(caller, member.role, `confirm a member with the role ${member.role}`)
  const confirmedAt = new Date().toISOString()
  await store.principals.confirm(member.id, confirmedAt)
  return { ...member, confirmedAt }
}

/**
 * Whose membership this becomes, where somebody adds to another fleet than the one in which he signs in: the member of that one
 * who has the email. Nobody else is taken for the same person: what an email says is as good as who let its member in, and of
 * the caller's own fleet the caller has to believe that anyway.
 */
async function knownPerson(store: Store, caller: Caller, email: string): Promise<PrincipalRow | undefined> {
  const { key, fleetId } = caller
  if (key.fleetId === fleetId) return undefined
  const own = await store.principals.get(key.principalId)
  const role = leastRole([key.role, own?.role ?? 'viewer'])
  return matrix[role].includes('member.list') ? store.principals.memberByEmail(key.fleetId, email) : undefined
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
  // Before it is: whoever reads mails of the new address signs in as him from then on.
  if (email !== undefined && email !== member.email) await noteControl(store, caller, member)
  const ended = await store.principals.changeMember(member, wanted)
  return { member: { ...member, ...wanted }, ended }
}

/**
 * Who reads the mails of a member signs in as him. So the email of somebody who has ever signed in, or has a key, is changed
 * by nobody else, nor with a key or code of his that somebody else made.
 */
async function assertMayChangeEmail(store: Store, caller: Caller, member: PrincipalRow): Promise<void> {
  const { id, fleetId } = member
  assertSignsInHere(member)
  if (id === caller.principalId && caller.key.lentById === null) return
  const { total } = await store.keys.list(fleetId, { principalId: id, offset: 0, limit: 1 })
  if (total === 0) return
  throw new CmdopError(
    'permission',
    'Only the person changes the email of a member who has signed in or has a key; or remove the member, and invite the new email.',
  )
}

/**
 * Somebody is about to get a way to sign in as this member, or to change how he does: unless it is himself, and nobody else with his
 * key or session, other fleets have to let him in again.
 */
export async function noteControl(store: Store, caller: Caller, { id }: Pick<PrincipalRow, 'id'>): Promise<void> {
  if (id === caller.principalId && caller.lenders.length === 0) return
  await store.principals.controlChanged(id, new Date().toISOString())
}

/** Throws `conflict` for who signs in to another fleet: codes, authenticator and email are looked after there. */
export function assertSignsInHere({ name, personId }: PrincipalRow): void {
  if (personId === null) return
  throw new CmdopError('conflict', `${name} signs in to another fleet; codes, authenticator and email belong there.`)
}

/** The member of this id or email, who is not above the caller. Throws `not_found`, `permission`. */
export async function ranked(store: Store, caller: Caller, reference: string): Promise<PrincipalRow> {
  const member = await memberOf(store, caller, reference)
  assertRank(caller, member.role, `change a member with the role ${member.role}`)
  return member
}

/** As lists show it. */
export async function memberInfo(store: Store, member: PrincipalRow): Promise<MemberInfo> {
  const totp = await store.totp.get(member.personId ?? member.id)
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

/** The members of a fleet, page by page. */
export async function* everyMember(store: Store, fleetId: string): AsyncGenerator<PrincipalRow> {
  for (let offset = 0; ; offset += PAGE) {
    const { items } = await store.principals.members(fleetId, { offset, limit: PAGE })
    yield* items
    if (items.length < PAGE) return
  }
}
