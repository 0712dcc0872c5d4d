import { z } from 'zod'
import { ShownName } from './names.ts'

const instant = z.iso.datetime()

/** What a member of a fleet is, the mightiest first. */
export const Role = z.enum(['owner', 'admin', 'member', 'viewer'])
export type Role = z.infer<typeof Role>

/** A label of members, such as `ops`; approvals count members of a group. */
export const Group = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,39}$/, 'lower case letters, digits, dots and dashes')

/** A name of a machine, where `*` stands for any characters and `?` for one. */
const NamePattern = z.string().min(1).max(120)

/** Machines: all of the fleet, or those with one of these ids or names. */
export const MachineSelector = z.union([
  z.literal('*'),
  z
    .strictObject({
      ids: z.array(z.string().min(1).max(64)).max(1000).optional().describe('Ids of the machines'),
      names: z
        .array(NamePattern)
        .max(100)
        .optional()
        .describe('Names of machines, where `*` stands for any characters and `?` for one'),
    })
    .refine(({ ids = [], names = [] }) => ids.length + names.length > 0, 'Expected at least one id or name.'),
])
export type MachineSelector = z.infer<typeof MachineSelector>

/** Some actions on some machines: `file.*` is every action of files, `*` is every action. */
export const KeyScope = z.strictObject({
  actions: z
    .array(z.string().regex(/^(\*|[a-z]+\.(\*|[a-z]+))$/, 'an action, such as machine.exec, file.* or *'))
    .min(1)
    .max(64)
    .describe('Actions: `machine.exec`, `file.*` for every action of files, `*` for all'),
  machines: MachineSelector.describe('On which machines: `*` for all, or those with one of these ids or names'),
})
export type KeyScope = z.infer<typeof KeyScope>

/** Addresses in CIDR notation, or a single one: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. */
export const IpRange = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()])

const Email = z
  .email()
  .max(254)
  .transform((email) => email.toLowerCase())

/** A member of a fleet: a person. */
export const MemberInfo = z.object({
  user_id: z.string().describe('Id of the person'),
  email: z.string().nullable().describe('Email address, with which the person signs in; null: none'),
  display_name: z.string().describe('Name of the person, for people'),
  role: Role.describe('What the person can do at most'),
  groups: z.array(z.string()).describe('Groups that the person is of, such as `ops`'),
  joined_at: instant.describe('When the person became a member'),
  invited_by_id: z.string().nullable().describe('Id of the member who invited or added the person; null: nobody did'),
  totp: z.boolean().describe('Whether signing in takes a code of an authenticator'),
})
export type MemberInfo = z.infer<typeof MemberInfo>

export const OffsetQuery = z.object({
  offset: z.coerce.number().int().min(0).default(0).describe('Items before these'),
  per_page: z.coerce.number().int().min(1).max(500).default(100).describe('Items in one page at most'),
})
export type OffsetQuery = z.infer<typeof OffsetQuery>

export const MemberList = z.object({
  items: z.array(MemberInfo).describe('Members, the oldest first'),
  offset: z.number().int().describe('Items before these'),
  per_page: z.number().int().describe('Items in one page at most'),
  total: z.number().int().describe('Items in all pages'),
})
export type MemberList = z.infer<typeof MemberList>

/** Someone who signs in with a code, without an invitation. */
export const MemberAdd = z.strictObject({
  email: Email.describe('Email address, with which the person signs in'),
  display_name: ShownName.optional().describe(
    'Name of the person, for people. Default: the email address up to the `@`.',
  ),
  role: Role.default('member').describe('What the person can do at most'),
  groups: z.array(Group).max(32).default([]).describe('Groups that the person is of, such as `ops`'),
})
export type MemberAdd = z.input<typeof MemberAdd>

export const MemberChange = z
  .strictObject({
    email: Email.optional().describe('Another email address to sign in with; absent: it stays'),
    display_name: ShownName.optional().describe('Another name of the person; absent: it stays'),
    role: Role.optional().describe('What the person can do from now on; absent: it stays'),
    groups: z
      .array(Group)
      .max(32)
      .optional()
      .describe('All groups that the person is of from now on; absent: they stay'),
  })
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'Expected something to change.')
export type MemberChange = z.input<typeof MemberChange>

/** A code with which a member signs in once; shown here and never again. */
export const SignInCode = z.object({
  code: z.string().describe('The code, shown here and never again'),
  expires_at: instant.describe('When it ends by itself'),
})
export type SignInCode = z.infer<typeof SignInCode>

export const InvitationIssue = z.strictObject({
  email: Email.describe('Email address of the person who is invited'),
  role: Role.default('member').describe('What the person will be able to do at most'),
  groups: z.array(Group).max(32).default([]).describe('Groups that the person will be of, such as `ops`'),
  expires_in_seconds: z
    .number()
    .int()
    .min(60)
    .max(30 * 86_400)
    .default(7 * 86_400)
    .describe('Seconds for which it can be accepted'),
})
export type InvitationIssue = z.input<typeof InvitationIssue>

export const InvitationSummary = z.object({
  id: z.string().describe('Id of the invitation'),
  email: z.string().describe('Email address of the person who is invited'),
  role: Role.describe('What the person will be able to do at most'),
  groups: z.array(z.string()).describe('Groups that the person will be of, such as `ops`'),
  created_at: instant.describe('When it was made'),
  expires_at: instant.describe('When it can be accepted no more'),
  invited_by_id: z.string().describe('Id of the member who invited the person'),
})
export type InvitationSummary = z.infer<typeof InvitationSummary>

/** A new invitation: `link` is shown here and never again. What is behind its `#` never reaches a server by looking at it. */
export const InvitationIssued = InvitationSummary.extend({
  link: z.string().describe('Address to open and accept it, shown here and never again'),
  token: z.string().describe('What accepts it, as in the link; shown here and never again'),
})
export type InvitationIssued = z.infer<typeof InvitationIssued>

/** Those that are neither accepted nor expired, the newest first. */
export const InvitationList = z.object({
  items: z.array(InvitationSummary).describe('Those that are neither accepted nor expired, the newest first'),
})
export type InvitationList = z.infer<typeof InvitationList>

export const InvitationAccept = z.strictObject({
  token: z.string().max(256).describe('The token of the invitation, from its link'),
  display_name: ShownName.optional().describe(
    'Name of the person, for people. Default: the email address up to the `@`.',
  ),
})
export type InvitationAccept = z.input<typeof InvitationAccept>

/** Whether signing in takes an authenticator: of nobody new, of who has set one up, of everybody. */
export const MfaRequired = z.enum(['none', 'optional', 'required'])
export type MfaRequired = z.infer<typeof MfaRequired>

/** Settings of a fleet. `four_eyes` null: on as soon as the fleet has two members. */
export const FleetSettings = z.object({
  mfa_required: MfaRequired.describe(
    'Whether signing in takes an authenticator: of nobody new, of who has set one up, of everybody',
  ),
  four_eyes: z
    .boolean()
    .nullable()
    .describe("Whether a requester's own vote does not count; null: so as soon as the fleet has two members"),
})
export type FleetSettings = z.infer<typeof FleetSettings>

export const FleetSettingsChange = z.strictObject({
  mfa_required: MfaRequired.optional().describe('Whether signing in takes an authenticator; absent: it stays'),
  four_eyes: z
    .boolean()
    .nullable()
    .optional()
    .describe(
      "Whether a requester's own vote does not count; null: so as soon as the fleet has two members; absent: it stays",
    ),
})
export type FleetSettingsChange = z.infer<typeof FleetSettingsChange>

/** Slug or id of the fleet where one signs in. Default: the oldest one with a member of this email who signs in there. */
const SignInFleet = z.string().min(1).max(64).optional()

export const LoginCodeRequest = z.strictObject({
  email: Email.describe('Email address of the member who signs in'),
  fleet: SignInFleet.describe(
    'Slug or id of the fleet. Default: the oldest one with a member of this email who signs in there.',
  ),
})
export type LoginCodeRequest = z.input<typeof LoginCodeRequest>

/** The same answer for an email that nobody has. `mail` false: this relay sends none; an admin gives the code. */
export const LoginCodeRequested = z.object({
  mail: z.boolean().describe('Whether this relay sends mail; false: an admin gives the code'),
})

export const LoginRequest = z.strictObject({
  email: Email.describe('Email address of the member who signs in'),
  code: z.string().min(1).max(32).describe('The code that was mailed, or that an admin gave'),
  fleet: SignInFleet.describe(
    'Slug or id of the fleet. Default: the oldest one with a member of this email who signs in there.',
  ),
  totp: z
    .string()
    .max(16)
    .optional()
    .describe('Code of the authenticator, when the answer was `auth` with `details.totp`'),
})
export type LoginRequest = z.input<typeof LoginRequest>

/** A session: `token` is used like a key and is shown here and never again. */
export const SignedIn = z.object({
  token: z.string().describe('Used like a key; shown here and never again'),
  session_id: z.string().describe('Id of the session'),
  fleet_id: z.string().describe('Id of the fleet where it works'),
  principal_id: z.string().describe("Id of the person's principal"),
  expires_at: instant.describe('When it ends by itself'),
  totp_required: z
    .boolean()
    .describe('Whether nothing else is allowed before an authenticator is set up: `POST /api/totp`'),
})
export type SignedIn = z.infer<typeof SignedIn>

export const LoginSession = z.object({
  id: z.string().describe('Id of the session'),
  created_at: instant.describe('When the person signed in'),
  last_used_at: instant.nullable().describe('When it was used last; null: never'),
  expires_at: instant.nullable().describe('When it ends by itself; null: never'),
  ip: z.string().nullable().describe('Address that it was begun from; null: not known'),
  user_agent: z.string().nullable().describe('What the browser or client called itself; null: nothing'),
  current: z.boolean().describe('Whether it is the one that asks'),
})
export type LoginSession = z.infer<typeof LoginSession>

export const LoginSessionList = z.object({ items: z.array(LoginSession).describe('Your sessions that have not ended') })
export type LoginSessionList = z.infer<typeof LoginSessionList>

/** A new secret for an authenticator (RFC 6238), good once it is confirmed. */
export const TotpSetup = z.object({
  secret: z.string().describe('The secret in base32, shown here and never again'),
  otpauth_uri: z.string().describe('The same as `otpauth://` address, for a QR code'),
})
export type TotpSetup = z.infer<typeof TotpSetup>

export const TotpCode = z.strictObject({ code: z.string().max(16).describe('Six digits of the authenticator') })
export type TotpCode = z.infer<typeof TotpCode>

/** Sent by a machine, signed with its key: what it signs with from now on. */
export const MachineKeyRotate = z.strictObject({
  public_key: z.string().max(1024).describe('The new key of the machine: Ed25519, SPKI PEM'),
  signature: z
    .string()
    .max(128)
    .describe('Signature of `machineKeyText` by the new key, base64url: that the machine has it'),
})
export type MachineKeyRotate = z.infer<typeof MachineKeyRotate>

export const MachineKeyRotated = z.object({
  public_key_fingerprint: z.string().describe('SHA-256 of the new public key (SPKI, DER), hex'),
})
