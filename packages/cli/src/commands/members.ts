import {
  CmdopError,
  Role,
  MemberInfo,
  InvitationSummary,
  InvitationIssued,
  SignInCode,
  FleetSettings,
} from '@cmdop/protocol'
import { parseSpan } from '../numbers.ts'
import { exitCodes } from '../exit-codes.ts'
import { clientFor, type FleetFlags } from '../fleet-client.ts'
import { wireNames, writeResource } from '../resource-json.ts'
import { formatTable, say, writeJson, writeStdout } from '../terminal.ts'

interface Flags extends FleetFlags {
  json?: boolean
}

/** `cmdop members list`: who belongs to the fleet, and who is invited. */
export async function listMembersCommand(flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = await clientFor(flags, signal)
  const items = await Array.fromAsync(client.members.iter({ signal }))
  const { items: invitations } = await client.members.invitations({ signal })
  if (flags.json === true) {
    await writeJson({
      items: items.map((item) => wireNames(MemberInfo, item)),
      invitations: invitations.map((item) => wireNames(InvitationSummary, item)),
    })
    return exitCodes.ok
  }
  const rows = items.map((member) => [
    member.email ?? '-',
    member.displayName,
    member.role,
    member.groups.join(',') || '-',
    member.totp ? 'yes' : 'no',
    member.joinedAt,
    member.userId,
  ])
  const invited = invitations.map(({ email, role, groups, expiresAt, id }) => [
    email,
    '(invited)',
    role,
    groups.join(',') || '-',
    '-',
    `until ${expiresAt}`,
    id,
  ])
  const header = ['EMAIL', 'NAME', 'ROLE', 'GROUPS', 'AUTHENTICATOR', 'JOINED', 'ID']
  await writeStdout(formatTable(header, [...rows, ...invited]))
  return exitCodes.ok
}

/** `cmdop members invite`: prints a link that works once. */
export async function inviteCommand(
  email: string,
  flags: Flags & { role?: string; group?: string[]; expires?: string },
  signal: AbortSignal,
): Promise<number> {
  await using client = await clientFor(flags, signal)
  const { role, group: groups, expires } = flags
  const invited = await client.members.invite(
    {
      email,
      ...(role === undefined ? {} : { role: parseRole(role) }),
      ...(groups === undefined ? {} : { groups }),
      ...(expires === undefined ? {} : { expiresInSeconds: Math.ceil(parseSpan(expires) / 1000) }),
    },
    { signal },
  )
  if (flags.json === true) await writeResource(InvitationIssued, invited)
  else await writeStdout(`cmdop join "${client.baseUrl}/join#${invited.token}"\n`)
  return exitCodes.ok
}

/** `cmdop members add`: somebody who signs in with a code, or who signs in to your own fleet already. */
export async function addMemberCommand(
  email: string,
  flags: Flags & { role?: string; group?: string[]; name?: string },
  signal: AbortSignal,
): Promise<number> {
  await using client = await clientFor(flags, signal)
  const { role, group: groups, name } = flags
  const member = await client.members.add(
    {
      email,
      ...(role === undefined ? {} : { role: parseRole(role) }),
      ...(groups === undefined ? {} : { groups }),
      ...(name === undefined ? {} : { displayName: name }),
    },
    { signal },
  )
  if (flags.json === true) await writeResource(MemberInfo, member)
  else await say(`${member.displayName} is a member: ${member.role} (${member.userId})`)
  return exitCodes.ok
}

/** `cmdop members set-role`, `set-groups`, `set-email`. */
export async function changeMemberCommand(
  member: string,
  change: { role?: string; groups?: string[]; email?: string },
  { signal, ...flags }: Flags & { signal: AbortSignal },
): Promise<number> {
  await using client = await clientFor(flags, signal)
  const { role, groups, email } = change
  const wanted = {
    ...(role === undefined ? {} : { role: parseRole(role) }),
    ...(groups === undefined ? {} : { groups }),
    ...(email === undefined ? {} : { email }),
  }
  const changed = await client.members.update(member, wanted, { signal })
  if (flags.json === true) await writeResource(MemberInfo, changed)
  else
    await say(
      `${changed.email ?? changed.displayName}: ${changed.role}, groups: ${changed.groups.join(', ') || 'none'}`,
    )
  return exitCodes.ok
}

/** `cmdop members remove`: at once, with all that acts for the member. */
export async function removeMemberCommand(member: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = await clientFor(flags, signal)
  await client.members.remove(member, { signal })
  if (flags.json === true) await writeJson({ member, removed: true })
  else await say(`${member} is removed; what acted for that member has ended`)
  return exitCodes.ok
}

/** `cmdop members revoke-invitation`. */
export async function revokeInvitationCommand(id: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = await clientFor(flags, signal)
  await client.members.revokeInvitation(id, { signal })
  if (flags.json === true) await writeJson({ id, revoked: true })
  else await say(`${id} is revoked; its link is good for nothing any more`)
  return exitCodes.ok
}

/** `cmdop members code`: prints a code with which the member signs in. */
export async function memberCodeCommand(member: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = await clientFor(flags, signal)
  const code = await client.members.code(member, { signal })
  if (flags.json === true) await writeResource(SignInCode, code)
  else await writeStdout(`${code.code}\n`)
  return exitCodes.ok
}

/** `cmdop members reset-totp`: for an authenticator that is lost. */
export async function resetTotpCommand(member: string, flags: Flags, signal: AbortSignal): Promise<number> {
  await using client = await clientFor(flags, signal)
  await client.members.resetTotp(member, { signal })
  if (flags.json === true) await writeJson({ member, totp: false })
  return exitCodes.ok
}

/** `cmdop fleet settings`: shows the settings of the fleet, or changes them. */
export async function fleetSettingsCommand(
  flags: Flags & { mfaRequired?: 'none' | 'optional' | 'required'; fourEyes?: 'on' | 'off' | 'default' },
  signal: AbortSignal,
): Promise<number> {
  await using client = await clientFor(flags, signal)
  const { mfaRequired, fourEyes } = flags
  const change = {
    ...(mfaRequired === undefined ? {} : { mfaRequired }),
    ...(fourEyes === undefined ? {} : { fourEyes: fourEyes === 'default' ? null : fourEyes === 'on' }),
  }
  const isChange = Object.keys(change).length > 0
  const settings = await (isChange ? client.members.configure(change, { signal }) : client.members.settings({ signal }))
  if (flags.json === true) await writeResource(FleetSettings, settings)
  else {
    const eyes = settings.fourEyes === null ? 'on from two members' : settings.fourEyes ? 'on' : 'off'
    await writeStdout(`authenticator: ${settings.mfaRequired}\nfour eyes: ${eyes}\n`)
  }
  return exitCodes.ok
}

function parseRole(text: string): Role {
  const role = Role.safeParse(text)
  if (role.success) return role.data
  throw new CmdopError('config', `Expected a role, one of ${Role.options.join(', ')}, got ${text}.`)
}
