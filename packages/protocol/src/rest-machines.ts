import { z } from 'zod'
import { MachineSummary } from './rest.ts'

const instant = z.iso.datetime()
const share = z.number().min(0).max(100).nullable()
const amount = z.number().nonnegative().nullable()

/** What was measured on a machine at one moment. What it does not know is null; GB are 10^9 bytes. */
export const MachineMetrics = z.object({
  /** Busy share of all processors, 0 to 100. */
  cpu_usage: share,
  /** Used share of the memory, 0 to 100. */
  memory_usage: share,
  /** GB of memory. */
  memory_total_gb: amount,
  /** GB of memory that is free for programs. */
  memory_free_gb: amount,
  /** Used share of all local disks together, 0 to 100. */
  disk_usage: share,
  /** GB of all local disks together. */
  disk_total_gb: amount,
  /** GB that an ordinary user may still write there. */
  disk_free_gb: amount,
  /** Charge of the battery, 0 to 100; null where there is none. */
  battery_level: share,
  is_charging: z.boolean().nullable(),
  is_on_ac_power: z.boolean().nullable(),
  /** Seconds since the machine started. */
  uptime_seconds: amount,
  process_count: z.number().int().nonnegative().nullable(),
  /** When it was measured, by the machine's clock. */
  recorded_at: instant,
})
export type MachineMetrics = z.infer<typeof MachineMetrics>

/** Answer of `GET /api/machines/:machine`: all that the relay knows of a machine. */
export const MachineDetail = MachineSummary.extend({
  /** Whether its daemon runs as root. */
  is_root: z.boolean().nullable(),
  /** Whom its daemon runs as. */
  username: z.string().nullable(),
  /** As `uname -r` prints it. */
  kernel_version: z.string().nullable(),
  /** An id of the hardware; no daemon reports one. */
  device_id: z.string().nullable(),
  /** Ed25519, SPKI PEM. */
  public_key: z.string().nullable(),
  /** How often the machine has taken a key: 1 for that of its enrolment; null where that was not counted. */
  public_key_version: z.number().int().nullable(),
  /** When it enrolled with a key. */
  public_key_registered_at: instant.nullable(),
  /** The member who made the token that it enrolled with. */
  created_by_id: z.string().nullable(),
  /** What was measured last, by whoever asked for `info`; null: nothing yet. */
  live_metrics: MachineMetrics.nullable(),
})
export type MachineDetail = z.infer<typeof MachineDetail>

/** Answer of `GET /api/admin/machines/:machine/info`: measured now, where the machine is online. */
export const MachineInfoResponse = z.object({
  identity: z.object({
    hostname: z.string(),
    os: z.string(),
    os_version: z.string().nullable(),
    kernel_version: z.string().nullable(),
    agent_version: z.string(),
  }),
  hardware: z.object({
    /** Model of the processor. */
    cpu: z.string().nullable(),
    /** Logical processors. */
    cpu_cores: z.number().int().nullable(),
    memory_total_gb: amount,
    disk_total_gb: amount,
    /** No daemon reports one. */
    gpu: z.string().nullable(),
  }),
  live_state: MachineMetrics.omit({ recorded_at: true }).extend({
    /** Null: nothing was ever measured. */
    recorded_at: instant.nullable(),
    /** True: it could not be measured now; this is of `recorded_at`. */
    stale: z.boolean(),
  }),
  session: z.object({
    /** When its daemon connected last. */
    connected_at: instant.nullable(),
    last_heartbeat_at: instant.nullable(),
    /** How often it connected again in the last 24 hours, to the hour. */
    reconnect_count_24h: z.number().int(),
    /** A machine proves a key, which does not expire: always null. */
    token_expires_at: instant.nullable(),
    /** Tunnels to it that are open; null where nobody counts them. */
    tunnel_count_active: z.number().int().nullable(),
  }),
  presence: z.object({
    /** `healthy`: online; `stale`: heard within 45 s; `expired`: not any more; `never`: not heard since it enrolled. */
    status: z.enum(['healthy', 'stale', 'expired', 'never']),
    last_seen_at: instant.nullable(),
    /** Seconds since then. */
    freshness_seconds: z.number().nullable(),
  }),
  fingerprint: z.object({
    /** SHA-256 of the public key (SPKI, DER), hex. */
    public_key_fingerprint: z.string().nullable(),
    public_key_status: MachineSummary.shape.public_key_status,
    public_key_version: z.number().int().nullable(),
  }),
})
export type MachineInfoResponse = z.infer<typeof MachineInfoResponse>

/** What became of a machine. `detached`: it is in another fleet, or none that your key is for; `attached`: the other way. */
export const MachineChangeName = z.enum([
  'online',
  'suspect',
  'offline',
  'enrolled',
  'disabled',
  'enabled',
  'renamed',
  'labels',
  'quarantined',
  'released',
  'attached',
  'detached',
])
export type MachineChangeName = z.infer<typeof MachineChangeName>

/**
 * One event of `GET /api/machines/events`. It begins with snapshots, which together are all machines: the first has `first`, and
 * whatever was known before is void; the last has `last`. Then come changes. Snapshots come again after a reader was too
 * slow, or comes back too late to be told what it missed.
 */
export const MachineEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('snapshot'),
    at: instant,
    first: z.boolean(),
    last: z.boolean(),
    machines: z.array(MachineSummary),
  }),
  /** What changes between two looks of the relay (one after another, without a pause when something came) is one event. */
  z.object({
    type: z.literal('change'),
    at: instant,
    /** Where several things changed at once: the first of them in the order of the names. */
    change: MachineChangeName,
    /** As it is after the change; of one that is `detached`: as it was last seen here. */
    machine: MachineSummary,
  }),
])
export type MachineEvent = z.infer<typeof MachineEvent>
