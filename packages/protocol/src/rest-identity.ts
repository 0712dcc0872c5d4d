import { z } from 'zod'

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
      ids: z.array(z.string().min(1).max(64)).max(1000).optional(),
      names: z.array(NamePattern).max(100).optional(),
    })
    .refine(({ ids = [], names = [] }) => ids.length + names.length > 0, 'Expected at least one id or name.'),
])
export type MachineSelector = z.infer<typeof MachineSelector>

/** Some actions on some machines: `file.*` is every action of files, `*` is every action. */
export const KeyScope = z.strictObject({
  actions: z
    .array(z.string().regex(/^(\*|[a-z]+\.(\*|[a-z]+))$/, 'an action, such as machine.exec, file.* or *'))
    .min(1)
    .max(64),
  machines: MachineSelector,
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
  user_id: z.string(),
  email: z.string().nullable(),
  display_name: z.string(),
  role: Role,
  groups: z.array(z.string()),
  joined_at: instant,
  invited_by_id: z.string().nullable(),
  /** Whether signing in takes a code of an authenticator. */
  totp: z.boolean(),
})
export type MemberInfo = z.infer<typeof MemberInfo>

export const OffsetQuery = z.object({
  offset: z.coerce.number().int().min(0).default(0),
  per_page: z.coerce.number().int().min(1).max(500).default(100),
})
export type OffsetQuery = z.infer<typeof OffsetQuery>

export const MemberList = z.object({
  items: z.array(MemberInfo),
  offset: z.number().int(),
  per_page: z.number().int(),
  total: z.number().int(),
})
export type MemberList = z.infer<typeof MemberList>

/** Someone who signs in with a code, without an invitation. */
export const MemberAdd = z.strictObject({
  email: Email,
  display_name: z.string().min(1).max(120).optional(),
  role: Role.default('member'),
  groups: z.array(Group).max(32).default([]),
})
export type MemberAdd = z.input<typeof MemberAdd>

export const MemberChange = z
  .strictObject({
    email: Email.optional(),
    display_name: z.string().min(1).max(120).optional(),
    role: Role.optional(),
    groups: z.array(Group).max(32).optional(),
  })
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'Expected something to change.')
export type MemberChange = z.input<typeof MemberChange>

/** A code with which a member signs in once; shown here and never again. */
export const SignInCode = z.object({ code: z.string(), expires_at: instant })
export type SignInCode = z.infer<typeof SignInCode>

export const InvitationIssue = z.strictObject({
  email: Email,
  role: Role.default('member'),
  groups: z.array(Group).max(32).default([]),
  expires_in_seconds: z
    .number()
    .int()
    .min(60)
    .max(30 * 86_400)
    .default(7 * 86_400),
})
export type InvitationIssue = z.input<typeof InvitationIssue>

export const InvitationSummary = z.object({
  id: z.string(),
  email: z.string(),
  role: Role,
  groups: z.array(z.string()),
  created_at: instant,
  expires_at: instant,
  invited_by_id: z.string(),
})
export type InvitationSummary = z.infer<typeof InvitationSummary>

/** A new invitation: `link` is shown here and never again. What is behind its `#` never reaches a server by looking at it. */
export const InvitationIssued = InvitationSummary.extend({ link: z.string(), token: z.string() })
export type InvitationIssued = z.infer<typeof InvitationIssued>

/** Those that are neither accepted nor expired, the newest first. */
export const InvitationList = z.object({ items: z.array(InvitationSummary) })
export type InvitationList = z.infer<typeof InvitationList>

export const InvitationAccept = z.strictObject({
  token: z.string().max(256),
  display_name: z.string().min(1).max(120).optional(),
})
export type InvitationAccept = z.input<typeof InvitationAccept>

/** Whether signing in takes an authenticator: of nobody new, of who has set one up, of everybody. */
export const MfaRequired = z.enum(['none', 'optional', 'required'])
export type MfaRequired = z.infer<typeof MfaRequired>

/** Settings of a fleet. `four_eyes` null: on as soon as the fleet has two members. */
export const FleetSettings = z.object({ mfa_required: MfaRequired, four_eyes: z.boolean().nullable() })
export type FleetSettings = z.infer<typeof FleetSettings>

export const FleetSettingsChange = z.strictObject({
  mfa_required: MfaRequired.optional(),
  four_eyes: z.boolean().nullable().optional(),
})
export type FleetSettingsChange = z.infer<typeof FleetSettingsChange>

/** Slug or id of the fleet where one signs in. Default: the oldest one with a member of this email who signs in there. */
const SignInFleet = z.string().min(1).max(64).optional()

export const LoginCodeRequest = z.strictObject({ email: Email, fleet: SignInFleet })
export type LoginCodeRequest = z.input<typeof LoginCodeRequest>

/** The same answer for an email that nobody has. `mail` false: this relay sends none; an admin gives the code. */
export const LoginCodeRequested = z.object({ mail: z.boolean() })

export const LoginRequest = z.strictObject({
  email: Email,
  code: z.string().min(1).max(32),
  fleet: SignInFleet,
  /** Of the authenticator, when the answer was `auth` with `details.totp`. */
  totp: z.string().max(16).optional(),
})
export type LoginRequest = z.input<typeof LoginRequest>

/** A session: `token` is used like a key and is shown here and never again. */
export const SignedIn = z.object({
  token: z.string(),
  session_id: z.string(),
  fleet_id: z.string(),
  principal_id: z.string(),
  expires_at: instant,
  /** Nothing else is allowed before an authenticator is set up: `POST /api/totp`. */
  totp_required: z.boolean(),
})
export type SignedIn = z.infer<typeof SignedIn>

export const LoginSession = z.object({
  id: z.string(),
  created_at: instant,
  last_used_at: instant.nullable(),
  expires_at: instant.nullable(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  /** The one that asks. */
  current: z.boolean(),
})
export type LoginSession = z.infer<typeof LoginSession>

export const LoginSessionList = z.object({ items: z.array(LoginSession) })
export type LoginSessionList = z.infer<typeof LoginSessionList>

/** A new secret for an authenticator (RFC 6238), good once it is confirmed. */
export const TotpSetup = z.object({ secret: z.string(), otpauth_uri: z.string() })
export type TotpSetup = z.infer<typeof TotpSetup>

export const TotpCode = z.strictObject({ code: z.string().max(16) })
export type TotpCode = z.infer<typeof TotpCode>

/** Sent by a machine, signed with its key: what it signs with from now on. */
export const MachineKeyRotate = z.strictObject({
  /** Ed25519, SPKI PEM. */
  public_key: z.string().max(1024),
  /** Of `machineKeyText`, by the new key, base64url: that the machine has it. */
  signature: z.string().max(128),
})
export type MachineKeyRotate = z.infer<typeof MachineKeyRotate>

export const MachineKeyRotated = z.object({ public_key_fingerprint: z.string() })
