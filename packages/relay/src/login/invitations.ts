import { CmdopError, type InvitationIssue, type InvitationSummary } from '@cmdop/protocol'
import type { z } from 'zod'
import type { Caller } from '../auth/authenticate.ts'
import { matrix } from '../auth/authorise.ts'
import { assertMayGiveAll, assertRank } from '../auth/grants.ts'
import { matchesHash, newId, newSecret, parseSecret } from '../auth/secrets.ts'
import type { InvitationRow } from '../store/identity.ts'
import { type PrincipalRow, roles, type Store } from '../store/store.ts'

/** A new invitation, for a role that is no higher than the caller's. Gives its token too, which is nowhere kept. */
export async function invite(
  store: Store,
  caller: Caller,
  issue: z.output<typeof InvitationIssue>,
): Promise<{ row: InvitationRow; token: string }> {
  const { email, role, groups, expires_in_seconds: seconds } = issue
  assertRank(caller, role, `invite somebody with the role ${role}`)
  assertMayGiveAll(caller)
  if ((await store.principals.memberByEmail(caller.fleetId, email)) !== undefined)
    throw new CmdopError('conflict', `${email} is a member already.`)
  const { id, hash: secretHash, raw: token } = newSecret('invite')
  const now = Date.now()
  const row: InvitationRow = {
    id,
    fleetId: caller.fleetId,
    secretHash,
    email,
    role,
    groups,
    invitedById: caller.principalId,
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(now + seconds * 1000).toISOString(),
    acceptedAt: null,
    revokedAt: null,
  }
  await store.invitations.create(row)
  return { row, token }
}

/** An invitation, and the member whom accepting it makes. */
export interface ShownInvitation {
  readonly id: string
  readonly member: PrincipalRow
}

/** What a link is for. Throws `auth` for one that nobody was sent, and when who invited may not do that any more. */
export async function readInvitation(
  store: Store,
  { token, name }: { token: string; name: string | undefined },
): Promise<ShownInvitation> {
  const shown = parseSecret(token)
  const row = shown?.kind === 'invite' ? await store.invitations.get(shown.id) : undefined
  if (shown === undefined || row === undefined || !matchesHash(shown.secret, row.secretHash)) throw isOver()
  const { fleetId, email, role, groups, invitedById } = row
  await assertMayInvite(store, row)
  const member: PrincipalRow = {
    id: newId('prn_'),
    fleetId,
    kind: 'human',
    name: name ?? email.split('@', 1)[0] ?? email,
    role,
    actsForId: null,
    createdAt: new Date().toISOString(),
    email,
    groups,
    invitedById,
    removedAt: null,
    // Whoever has the link accepts it: nobody has shown that he is a person of another fleet.
    personId: null,
    confirmedAt: null,
    controlChangedAt: null,
  }
  return { id: row.id, member }
}

/** Makes its member, once. Throws `auth`, and `conflict` when the email has become a member. */
export async function acceptInvitation(store: Store, { id, member }: ShownInvitation): Promise<void> {
  if (!(await store.invitations.accept(id, member))) throw isOver()
}

async function assertMayInvite(store: Store, { invitedById, role }: InvitationRow): Promise<void> {
  const inviter = await store.principals.get(invitedById)
  const isThere = inviter !== undefined && inviter.removedAt === null
  const mayInvite = isThere && matrix[inviter.role].includes('member.manage')
  if (mayInvite && roles.indexOf(role) >= roles.indexOf(inviter.role)) return
  throw new CmdopError('auth', 'Who invited you may not do so any more; ask somebody else for an invitation.')
}

/** As lists show it. */
export function invitationSummary(row: InvitationRow): InvitationSummary {
  return {
    id: row.id,
    email: row.email,
    role: row.role,
    groups: [...row.groups],
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    invited_by_id: row.invitedById,
  }
}

function isOver(): CmdopError {
  return new CmdopError('auth', 'The invitation is used, revoked or expired; ask for a new one.')
}
