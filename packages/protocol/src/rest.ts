import { z } from 'zod'
import { ONE_LINE_EXPECTED, oneLine, ShownName } from './names.ts'
import { IpRange, KeyScope, OffsetQuery, Role } from './rest-identity.ts'
import { LabelChanges, Labels } from './targets/labels.ts'

const instant = z.iso.datetime()

/** Life sign of a machine by its age: see {@link presenceOf}. */
export const Presence = z.enum(['online', 'suspect', 'offline'])
export type Presence = z.infer<typeof Presence>

/** Ages of the last life sign, in milliseconds, after which a machine is `suspect` and then `offline`. */
export const SUSPECT_AFTER_MS = 20_000
export const OFFLINE_AFTER_MS = 45_000

/** `online` while connected and heard within 20 s; `offline` when not heard for 45 s; `suspect` in between. */
export function presenceOf(machine: { connected: boolean; lastSeenAt: number | null; now: number }): Presence {
  const ageMs = machine.lastSeenAt === null ? Number.POSITIVE_INFINITY : machine.now - machine.lastSeenAt
  if (machine.connected && ageMs < SUSPECT_AFTER_MS) return 'online'
  return ageMs < OFFLINE_AFTER_MS ? 'suspect' : 'offline'
}

/** A fleet that has or uses a machine, where you may see it. */
export const MachineFleet = z.object({
  fleet_id: z.string().describe('Id of the fleet'),
  slug: z.string().describe('Name of the fleet in addresses, unique on the relay'),
  name: z.string().describe('What people call the fleet'),
  role: Role.nullable().describe('What you can do there at most; null: you see no more of it than this'),
})
export type MachineFleet = z.infer<typeof MachineFleet>

/** Hardware and user, as the daemon said when it connected last. What it does not know is null. */
export const MachineSpecs = z.object({
  cpu_model: z.string().nullable().describe('Model of the processor'),
  cpu_count: z.number().int().nullable().describe('Number of logical processors'),
  total_ram_bytes: z.number().int().nullable().describe('Bytes of memory'),
  home_dir: z.string().nullable().describe('Home directory of the user whom the daemon runs as'),
  uid: z.number().int().nullable().describe('Numeric id of the user whom the daemon runs as; null on Windows'),
  device_type: z.string().nullable().describe('`server`, `desktop` or `laptop`'),
  device_model: z.string().nullable().describe('What the maker of the machine calls it'),
})
export type MachineSpecs = z.infer<typeof MachineSpecs>

/** A machine as lists show it. */
export const MachineSummary = z.object({
  id: z.string().describe('Id of the machine'),
  name: z.string().describe('What people call it, unique in every fleet that has or uses it'),
  hostname: z.string().describe('Its host name, as its daemon says'),
  os: z.string().describe("Node's name of the platform: `linux`, `darwin`, `win32`"),
  os_version: z
    .string()
    .nullable()
    .describe('Version of the system: `Debian GNU/Linux 12`; null where its daemon has not said'),
  architecture: z.string().describe("Node's name of the processor's architecture: `x64`, `arm64`"),
  agent_version: z.string().describe('Version of the daemon'),
  presence: Presence.describe(
    'Life sign by its age: `online` when heard within 20 s, `offline` when not heard for 45 s',
  ),
  last_seen_at: instant.nullable().describe('When its daemon was heard last; null: never'),
  last_heartbeat_at: instant
    .nullable()
    .describe('The same as `last_seen_at`, under the name that clients of the wire know'),
  public_key_fingerprint: z.string().describe('SHA-256 of the public key (SPKI, DER), hex'),
  public_key_status: z
    .enum(['active', 'rotating', 'quarantined', 'disabled'])
    .describe('Whether its key is good; `rotating`: another one is to take its place'),
  created_at: instant.describe('When it enrolled'),
  disabled_at: instant.nullable().describe('Since then its daemon may not connect; null: it may'),
  fleet_id: z.string().describe('The fleet that it enrolled in'),
  fleets: z.array(MachineFleet).describe('That fleet, and those that use the machine too, as far as you may see them'),
  specs: MachineSpecs.nullable().describe('Hardware and user; null: its daemon has not said'),
  is_jarvis: z
    .boolean()
    .describe('Whether it is an AI that joins as a machine, which no relay of ours has: always false'),
  quarantined_at: instant
    .nullable()
    .describe(
      'Since then two daemons have used its key at once, and nothing runs there until it is released; null: not so',
    ),
  labels: Labels.describe(
    "What selectors see: those of the relay, and those of the daemon's own configuration where the relay has none of the name",
  ),
})
export type MachineSummary = z.infer<typeof MachineSummary>

export const MachineListQuery = z.object({
  presence: z.enum(['any', 'online', 'suspect', 'offline']).default('any').describe('Only those with this life sign'),
  q: z.string().max(255).optional().describe('Part of a name or hostname'),
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Items in one page at most'),
  cursor: z.string().max(1024).optional().describe('The `next_cursor` of the page before; absent: the first page'),
  disabled: z
    .enum(['true', 'false'])
    .default('false')
    .describe('`true`: the disabled machines, which are in no other list'),
})
export type MachineListQuery = z.infer<typeof MachineListQuery>

export const MachineList = z.object({
  items: z.array(MachineSummary).describe('The items of this page, in order'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
  has_more: z.boolean().describe('Whether another page follows'),
})
export type MachineList = z.infer<typeof MachineList>

/** Answers `GET /api/machines/resolve?ref=`: an error `ambiguous` carries the candidates. */
export const MachineResolveQuery = z.object({
  ref: z.string().min(1).max(255).describe('Id, hostname or name of the machine, or how only one of these begins'),
})

/** An API key without its secret. */
export const ApiKeySummary = z.object({
  id: z.string().describe('Id of the key'),
  fleet_id: z.string().describe('Id of the fleet that it is of'),
  name: z.string().describe('What people call the key'),
  kind: z.enum(['human', 'ai', 'service']).describe('Who bears it: a person, an AI operator or a program'),
  role: Role.describe(
    "What its bearer can do at most now: the least of the key's role and of those of whom it acts for",
  ),
  principal_id: z.string().describe('Id of the principal that the key stands for'),
  credential: z.enum(['key', 'session']).describe('`key`: made by somebody; `session`: of a person who signed in'),
  scopes: z
    .array(KeyScope)
    .nullable()
    .describe('Actions and machines that it is limited to; null: all that the role may'),
  ip_ranges: z.array(z.string()).nullable().describe('Addresses (CIDR) that it may be used from; null: any'),
  max_targets_per_run: z
    .number()
    .int()
    .nullable()
    .describe('Machines that one fleet run of it may reach; null: no limit'),
  rotated_from: z.string().nullable().describe('Id of the key whose place it took; null: of none'),
  created_by_id: z
    .string()
    .describe(
      'Id of the member who made it, himself or by an operator; of one made with a key of another: who made that',
    ),
  key_prefix: z.string().describe('First characters of the key, to tell it by'),
  created_at: instant.describe('When it was made'),
  expires_at: instant.nullable().describe('When it ends by itself; null: never'),
  last_used_at: instant.nullable().describe('When it was used last; null: never'),
  revoked_at: instant.nullable().describe('When it was revoked; null: it was not'),
})
export type ApiKeySummary = z.infer<typeof ApiKeySummary>

export const ApiKeyListQuery = OffsetQuery.extend({
  credential: z.enum(['key', 'session']).default('key').describe('Keys, or sessions of people who signed in'),
  of: z
    .enum(['fleet', 'me'])
    .default('fleet')
    .describe('`me`: your own, and those of operators and services that act for you; `fleet`: all'),
})
export type ApiKeyListQuery = z.infer<typeof ApiKeyListQuery>

export const ApiKeyList = z.object({
  items: z.array(ApiKeySummary).describe('Keys or sessions, the newest first'),
  offset: z.number().int().describe('Items before these'),
  per_page: z.number().int().describe('Items in one page at most'),
  total: z.number().int().describe('Items in all pages'),
})
export type ApiKeyList = z.infer<typeof ApiKeyList>

export const ApiKeyIssue = z.strictObject({
  name: ShownName.describe('What people call the key'),
  kind: z
    .enum(['human', 'ai', 'service'])
    .default('service')
    .describe('Who bears it: a person, an AI operator or a program'),
  role: Role.default('member').describe('What it can do at most'),
  expires_in_days: z.number().int().min(1).max(3650).optional().describe('Days until it ends; absent: it does not'),
  member: z
    .string()
    .min(1)
    .max(254)
    .optional()
    .describe("Of kind human: whose key it is, by id or email. Default: the issuer's own."),
  scopes: z
    .array(KeyScope)
    .min(1)
    .max(64)
    .optional()
    .describe('Actions and machines that it is limited to; absent: all that the role may'),
  ip_ranges: z
    .array(IpRange)
    .min(1)
    .max(64)
    .optional()
    .describe('Addresses (CIDR) that it may be used from; absent: any'),
  max_targets_per_run: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('Machines that one fleet run of it may reach; absent: no limit'),
})
export type ApiKeyIssue = z.input<typeof ApiKeyIssue>

/** A new key: `raw_token` is shown here and never again. */
export const ApiKeyIssued = z.object({
  id: z.string().describe('Id of the key'),
  fleet_id: z.string().describe('Id of the fleet that it is of'),
  name: z.string().describe('What people call the key'),
  raw_token: z.string().describe('The key itself, shown here and never again'),
  expires_at: instant.nullable().describe('When it ends by itself; null: never'),
})
export type ApiKeyIssued = z.infer<typeof ApiKeyIssued>

/** How long the old key stays good beside the new one; 0: it ends at once. */
export const ApiKeyRotate = z.strictObject({
  overlap_seconds: z
    .number()
    .int()
    .min(0)
    .max(604_800)
    .default(0)
    .describe('Seconds for which the old key stays good beside the new one; 0: it ends at once'),
})
export type ApiKeyRotate = z.input<typeof ApiKeyRotate>

/** Machines in one `POST /api/machines/ping` at most. */
export const MAX_PINGED_MACHINES = 10_000

/** Body of `POST /api/machines/ping`: each of these machines is asked for a sign of life; nothing is done there. */
export const MachinePing = z.strictObject({
  machine_ids: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(MAX_PINGED_MACHINES)
    .describe('Ids of the machines that are asked'),
  timeout_ms: z.number().int().min(1).max(30_000).default(5000).describe('Milliseconds that are waited for at most'),
})
export type MachinePing = z.input<typeof MachinePing>

/** Answer to it, in the order of the ids. */
export const MachinePingAnswer = z.object({
  items: z
    .array(
      z.object({
        machine_id: z.string().describe('Id of the machine'),
        round_trip_ms: z
          .number()
          .nullable()
          .describe(
            'Milliseconds until its daemon answered, as the relay saw it; null: it did not, or there is no such machine in your fleet',
          ),
      }),
    )
    .describe('One for each machine, in the order of the ids'),
})
export type MachinePingAnswer = z.infer<typeof MachinePingAnswer>

/** Body of `PATCH /api/machines/:machine`. */
export const MachineUpdate = z
  .strictObject({
    name: ShownName.optional().describe(
      'Another name, unique in every fleet that has or uses the machine. Absent: it stays.',
    ),
    labels: LabelChanges.optional().describe(
      'Labels to set; what is not named stays, and null removes, of what the relay has',
    ),
  })
  .refine(({ name, labels }) => name !== undefined || labels !== undefined, 'Expected a name or labels to change.')
export type MachineUpdate = z.input<typeof MachineUpdate>

export const EnrollmentTokenIssue = z.strictObject({
  max_uses: z.number().int().min(1).max(10_000).default(1).describe('How many machines may enrol with it'),
  expires_in_seconds: z
    .number()
    .int()
    .min(1)
    .max(2_592_000)
    .default(3600)
    .describe('Seconds for which machines may enrol with it'),
  labels: Labels.default({}).describe('Labels of each machine that enrols with it, whatever it says itself'),
})
export type EnrollmentTokenIssue = z.input<typeof EnrollmentTokenIssue>

/** A new enrolment token: `raw_token` is shown here and never again. */
export const EnrollmentTokenIssued = z.object({
  id: z.string().describe('Id of the token'),
  raw_token: z.string().describe('The token itself, shown here and never again'),
  expires_at: instant.describe('When it ends by itself'),
  max_uses: z.number().int().describe('How many machines may enrol with it'),
})
export type EnrollmentTokenIssued = z.infer<typeof EnrollmentTokenIssued>

/** Sent by a machine to `POST /api/enroll`; the token is the credential. */
export const EnrollRequest = z.strictObject({
  token: z.string().max(256).describe('An enrolment token, as it was shown when it was made'),
  public_key: z.string().max(1024).describe('Public key of the machine: Ed25519, SPKI PEM'),
  hostname: z.string().min(1).max(255).regex(oneLine, ONE_LINE_EXPECTED).describe('Its host name, as the system says'),
  name: ShownName.optional().describe('Another name, unique in the fleet. Default: the hostname.'),
  os: z.string().max(64).describe("Node's name of the platform: `linux`, `darwin`, `win32`"),
  architecture: z.string().max(32).describe("Node's name of the processor's architecture: `x64`, `arm64`"),
  agent_version: z.string().max(32).describe('Version of the daemon'),
  labels: Labels.default({}).describe('Labels that it has where the token says nothing of them'),
})
export type EnrollRequest = z.infer<typeof EnrollRequest>

export const EnrollResponse = z.object({
  machine_id: z.string().describe('Id of the new machine'),
  fleet_id: z.string().describe('Id of the fleet that it enrolled in'),
  name: z.string().describe('What it is called there'),
  relay_id: z.string().describe('Id of the relay'),
  relay_public_key: z
    .string()
    .describe('Public key of the relay, Ed25519, SPKI PEM: the machine takes permits of this key only'),
})
export type EnrollResponse = z.infer<typeof EnrollResponse>

/** Answer of `POST /api/channel-tickets`: a one-use pass for a browser's WebSocket, which can set no header. */
export const ChannelTicket = z.object({
  ticket: z.string().describe('The pass, good for one WebSocket'),
  expires_at: instant.describe('When it ends by itself'),
})
export type ChannelTicket = z.infer<typeof ChannelTicket>

/** Who a key is: answer of `GET /api/me`. */
export const Me = z.object({
  principal_id: z.string().describe('Id of the principal that asks'),
  kind: z.enum(['human', 'ai', 'service', 'schedule', 'machine', 'system']).describe('What the principal is'),
  name: z.string().describe('What people call it'),
  role: Role.describe('What you can do at most now'),
  fleet_id: z.string().describe('Id of the fleet where it works'),
  fleet_name: z.string().describe('What people call that fleet'),
  email: z.string().nullable().describe('Email address of a person; null of anybody else'),
  groups: z.array(z.string()).describe('Groups of members that it is of, such as `ops`'),
  acts_for_id: z.string().nullable().describe('Id of the principal that it acts for; null: for itself'),
  credential: z
    .object({
      id: z.string().describe('Id of the key or session'),
      type: z.enum(['key', 'session']).describe('A key, or a session of a person who signed in'),
      expires_at: instant.nullable().describe('When it ends by itself; null: never'),
      scopes: z
        .array(KeyScope)
        .nullable()
        .describe('Actions and machines that it is limited to; null: all that the role may'),
      max_targets_per_run: z
        .number()
        .int()
        .nullable()
        .describe('Machines that one fleet run of it may reach; null: no limit'),
    })
    .describe('The key or session that the request was made with'),
})
export type Me = z.infer<typeof Me>

export const Health = z.object({
  status: z.enum(['ok', 'draining']).describe('`draining`: it ends soon and takes no new work'),
  relay_id: z.string().describe('Id of the relay'),
  version: z.string().describe("Version of the relay's software"),
})
export type Health = z.infer<typeof Health>
