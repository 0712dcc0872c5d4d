import { z } from 'zod'
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
  fleet_id: z.string(),
  slug: z.string(),
  name: z.string(),
  /** What you can do there at most. */
  role: Role.nullable(),
})
export type MachineFleet = z.infer<typeof MachineFleet>

/** Hardware and user, as the daemon said when it connected last. What it does not know is null. */
export const MachineSpecs = z.object({
  cpu_model: z.string().nullable(),
  /** Logical processors. */
  cpu_count: z.number().int().nullable(),
  total_ram_bytes: z.number().int().nullable(),
  /** Of the user whom the daemon runs as. */
  home_dir: z.string().nullable(),
  /** Numeric id of that user. */
  uid: z.number().int().nullable(),
  /** `server`, `desktop` or `laptop`. */
  device_type: z.string().nullable(),
  /** What its maker calls it. */
  device_model: z.string().nullable(),
})
export type MachineSpecs = z.infer<typeof MachineSpecs>

/** A machine as lists show it. */
export const MachineSummary = z.object({
  id: z.string(),
  name: z.string(),
  hostname: z.string(),
  /** Node's name of the platform: `linux`, `darwin`, `win32`. */
  os: z.string(),
  /** `Debian GNU/Linux 12`; null where its daemon has not said. */
  os_version: z.string().nullable(),
  architecture: z.string(),
  /** Of the daemon. */
  agent_version: z.string(),
  presence: Presence,
  last_seen_at: instant.nullable(),
  /** The same as `last_seen_at`, under the name that clients of the wire know. */
  last_heartbeat_at: instant.nullable(),
  /** SHA-256 of the public key (SPKI, DER), hex. */
  public_key_fingerprint: z.string(),
  /** `rotating`: another one is to take its place. */
  public_key_status: z.enum(['active', 'rotating', 'quarantined', 'disabled']),
  created_at: instant,
  /** Since then its daemon may not connect. */
  disabled_at: instant.nullable(),
  /** The fleet that it enrolled in. */
  fleet_id: z.string(),
  /** That fleet, and those that use the machine too, as far as you may see them. */
  fleets: z.array(MachineFleet),
  /** Null: its daemon has not said. */
  specs: MachineSpecs.nullable(),
  /** Of an AI that joins as a machine, which no relay of ours has: false. */
  is_jarvis: z.boolean(),
  /** Two daemons used its key at once, and nothing runs there until it is released. */
  quarantined_at: instant.nullable(),
  /** What selectors see: those of the relay, and those of the daemon's own configuration where the relay has none of the name. */
  labels: Labels,
})
export type MachineSummary = z.infer<typeof MachineSummary>

export const MachineListQuery = z.object({
  presence: z.enum(['any', 'online', 'suspect', 'offline']).default('any'),
  /** Part of a name or hostname. */
  q: z.string().max(255).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(1024).optional(),
  /** `true`: the disabled ones, which are in no other list. */
  disabled: z.enum(['true', 'false']).default('false'),
})
export type MachineListQuery = z.infer<typeof MachineListQuery>

export const MachineList = z.object({
  items: z.array(MachineSummary),
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
})
export type MachineList = z.infer<typeof MachineList>

/** Answers `GET /api/machines/resolve?ref=`: an error `ambiguous` carries the candidates. */
export const MachineResolveQuery = z.object({ ref: z.string().min(1).max(255) })

/** An API key without its secret. */
export const ApiKeySummary = z.object({
  id: z.string(),
  fleet_id: z.string(),
  name: z.string(),
  kind: z.enum(['human', 'ai', 'service']),
  /** What its bearer can do at most now: the least of the key's role and of those of whom it acts for. */
  role: Role,
  principal_id: z.string(),
  /** `session`: of a person who signed in. */
  credential: z.enum(['key', 'session']),
  /** Null: all that the role may. */
  scopes: z.array(KeyScope).nullable(),
  ip_ranges: z.array(z.string()).nullable(),
  /** Machines that one fleet run of it may reach. */
  max_targets_per_run: z.number().int().nullable(),
  rotated_from: z.string().nullable(),
  key_prefix: z.string(),
  created_at: instant,
  expires_at: instant.nullable(),
  last_used_at: instant.nullable(),
  revoked_at: instant.nullable(),
})
export type ApiKeySummary = z.infer<typeof ApiKeySummary>

export const ApiKeyListQuery = OffsetQuery.extend({
  credential: z.enum(['key', 'session']).default('key'),
  /** `me`: one's own, and those of operators and services that act for one. */
  of: z.enum(['fleet', 'me']).default('fleet'),
})
export type ApiKeyListQuery = z.infer<typeof ApiKeyListQuery>

export const ApiKeyList = z.object({
  items: z.array(ApiKeySummary),
  offset: z.number().int(),
  per_page: z.number().int(),
  total: z.number().int(),
})
export type ApiKeyList = z.infer<typeof ApiKeyList>

export const ApiKeyIssue = z.strictObject({
  name: z.string().min(1).max(120),
  kind: z.enum(['human', 'ai', 'service']).default('service'),
  role: Role.default('member'),
  expires_in_days: z.number().int().min(1).max(3650).optional(),
  /** Of kind human: whose key it is, by id or email. Default: the issuer's own. */
  member: z.string().min(1).max(254).optional(),
  scopes: z.array(KeyScope).min(1).max(64).optional(),
  ip_ranges: z.array(IpRange).min(1).max(64).optional(),
  max_targets_per_run: z.number().int().min(1).max(100_000).optional(),
})
export type ApiKeyIssue = z.input<typeof ApiKeyIssue>

/** A new key: `raw_token` is shown here and never again. */
export const ApiKeyIssued = z.object({
  id: z.string(),
  fleet_id: z.string(),
  name: z.string(),
  raw_token: z.string(),
  expires_at: instant.nullable(),
})
export type ApiKeyIssued = z.infer<typeof ApiKeyIssued>

/** How long the old key stays good beside the new one; 0: it ends at once. */
export const ApiKeyRotate = z.strictObject({ overlap_seconds: z.number().int().min(0).max(604_800).default(0) })
export type ApiKeyRotate = z.input<typeof ApiKeyRotate>

/** Machines in one `POST /api/machines/ping` at most. */
export const MAX_PINGED_MACHINES = 10_000

/** Body of `POST /api/machines/ping`: each of these machines is asked for a sign of life; nothing is done there. */
export const MachinePing = z.strictObject({
  machine_ids: z.array(z.string().min(1).max(64)).min(1).max(MAX_PINGED_MACHINES),
  /** Milliseconds that are waited for at most. */
  timeout_ms: z.number().int().min(1).max(30_000).default(5000),
})
export type MachinePing = z.input<typeof MachinePing>

/** Answer to it, in the order of the ids. */
export const MachinePingAnswer = z.object({
  items: z.array(
    z.object({
      machine_id: z.string(),
      /** Milliseconds until its daemon answered, as the relay saw it; null: it did not, or there is no such machine in your fleet. */
      round_trip_ms: z.number().nullable(),
    }),
  ),
})
export type MachinePingAnswer = z.infer<typeof MachinePingAnswer>

/** Body of `PATCH /api/machines/:machine`. */
export const MachineUpdate = z
  .strictObject({
    /** Another name, unique in every fleet that has or uses the machine. Absent: it stays. */
    name: z.string().trim().min(1).max(120).optional(),
    /** What is not named stays; null removes, of what the relay has. */
    labels: LabelChanges.optional(),
  })
  .refine(({ name, labels }) => name !== undefined || labels !== undefined, 'Expected a name or labels to change.')
export type MachineUpdate = z.input<typeof MachineUpdate>

export const EnrollmentTokenIssue = z.strictObject({
  /** How many machines may enrol with it. */
  max_uses: z.number().int().min(1).max(10_000).default(1),
  expires_in_seconds: z.number().int().min(1).max(2_592_000).default(3600),
  /** Of each machine that enrols with it, whatever it says itself. */
  labels: Labels.default({}),
})
export type EnrollmentTokenIssue = z.input<typeof EnrollmentTokenIssue>

/** A new enrolment token: `raw_token` is shown here and never again. */
export const EnrollmentTokenIssued = z.object({
  id: z.string(),
  raw_token: z.string(),
  expires_at: instant,
  max_uses: z.number().int(),
})
export type EnrollmentTokenIssued = z.infer<typeof EnrollmentTokenIssued>

/** Sent by a machine to `POST /api/enroll`; the token is the credential. */
export const EnrollRequest = z.strictObject({
  token: z.string().max(256),
  /** Ed25519, SPKI PEM. */
  public_key: z.string().max(1024),
  hostname: z.string().min(1).max(255),
  /** Unique in the fleet. Default: the hostname. */
  name: z.string().min(1).max(120).optional(),
  os: z.string().max(64),
  architecture: z.string().max(32),
  agent_version: z.string().max(32),
  /** Where the token says nothing of them. */
  labels: Labels.default({}),
})
export type EnrollRequest = z.infer<typeof EnrollRequest>

export const EnrollResponse = z.object({
  machine_id: z.string(),
  fleet_id: z.string(),
  name: z.string(),
  relay_id: z.string(),
  /** Ed25519, SPKI PEM: the machine takes permits of this key only. */
  relay_public_key: z.string(),
})
export type EnrollResponse = z.infer<typeof EnrollResponse>

/** Answer of `POST /api/channel-tickets`: a one-use pass for a browser's WebSocket, which can set no header. */
export const ChannelTicket = z.object({ ticket: z.string(), expires_at: instant })
export type ChannelTicket = z.infer<typeof ChannelTicket>

/** Who a key is: answer of `GET /api/me`. */
export const Me = z.object({
  principal_id: z.string(),
  kind: z.enum(['human', 'ai', 'service', 'schedule', 'machine', 'system']),
  name: z.string(),
  /** What you can do at most now. */
  role: Role,
  fleet_id: z.string(),
  fleet_name: z.string(),
  email: z.string().nullable(),
  groups: z.array(z.string()),
  acts_for_id: z.string().nullable(),
  credential: z.object({
    id: z.string(),
    type: z.enum(['key', 'session']),
    expires_at: instant.nullable(),
    scopes: z.array(KeyScope).nullable(),
    max_targets_per_run: z.number().int().nullable(),
  }),
})
export type Me = z.infer<typeof Me>

export const Health = z.object({
  status: z.enum(['ok', 'draining']),
  relay_id: z.string(),
  version: z.string(),
})
export type Health = z.infer<typeof Health>
