import { z } from 'zod'
import { MachineSummary } from './rest.ts'

const instant = z.iso.datetime()
const share = z.number().min(0).max(100).nullable()
const amount = z.number().nonnegative().nullable()

/** What was measured on a machine at one moment. What it does not know is null; GB are 10^9 bytes. */
export const MachineMetrics = z.object({
  cpu_usage: share.describe('Busy share of all processors, 0 to 100'),
  memory_usage: share.describe('Used share of the memory, 0 to 100'),
  memory_total_gb: amount.describe('GB (10^9 bytes) of memory'),
  memory_free_gb: amount.describe('GB (10^9 bytes) of memory that is free for programs'),
  disk_usage: share.describe('Used share of all local disks together, 0 to 100'),
  disk_total_gb: amount.describe('GB (10^9 bytes) of all local disks together'),
  disk_free_gb: amount.describe('GB (10^9 bytes) that an ordinary user may still write there'),
  battery_level: share.describe('Charge of the battery, 0 to 100; null where there is none'),
  is_charging: z.boolean().nullable().describe('Whether the battery is charging; null where there is none'),
  is_on_ac_power: z.boolean().nullable().describe('Whether it runs on mains power; null: not known'),
  uptime_seconds: amount.describe('Seconds since the machine started'),
  process_count: z.number().int().nonnegative().nullable().describe('Number of processes'),
  recorded_at: instant.describe("When it was measured, by the machine's clock"),
})
export type MachineMetrics = z.infer<typeof MachineMetrics>

/** Answer of `GET /api/machines/:machine`: all that the relay knows of a machine. */
export const MachineDetail = MachineSummary.extend({
  is_root: z.boolean().nullable().describe('Whether its daemon runs as root'),
  username: z.string().nullable().describe('Name of the user whom its daemon runs as'),
  kernel_version: z.string().nullable().describe('Version of the kernel, as `uname -r` prints it'),
  device_id: z.string().nullable().describe('An id of the hardware; no daemon reports one'),
  public_key: z.string().nullable().describe('Public key of the machine: Ed25519, SPKI PEM'),
  public_key_version: z
    .number()
    .int()
    .nullable()
    .describe('How often the machine has taken a key: 1 for that of its enrolment; null where that was not counted'),
  public_key_registered_at: instant.nullable().describe('When it enrolled with a key'),
  created_by_id: z.string().nullable().describe('The member who made the token that it enrolled with'),
  live_metrics: MachineMetrics.nullable().describe(
    'What was measured last, by whoever asked for `info`; null: nothing yet',
  ),
})
export type MachineDetail = z.infer<typeof MachineDetail>

/** Answer of `GET /api/admin/machines/:machine/info`: measured now, where the machine is online. */
export const MachineInfoResponse = z.object({
  identity: z
    .object({
      hostname: z.string().describe('Its host name'),
      os: z.string().describe("Node's name of the platform: `linux`, `darwin`, `win32`"),
      os_version: z
        .string()
        .nullable()
        .describe('Version of the system: `Debian GNU/Linux 12`; null where its daemon has not said'),
      kernel_version: z.string().nullable().describe('Version of the kernel, as `uname -r` prints it'),
      agent_version: z.string().describe('Version of the daemon'),
    })
    .describe('What the machine is'),
  hardware: z
    .object({
      cpu: z.string().nullable().describe('Model of the processor'),
      cpu_cores: z.number().int().nullable().describe('Number of logical processors'),
      memory_total_gb: amount.describe('GB (10^9 bytes) of memory'),
      disk_total_gb: amount.describe('GB (10^9 bytes) of all local disks together'),
      gpu: z.string().nullable().describe('Model of the graphics processor; no daemon reports one'),
    })
    .describe('What it is made of'),
  live_state: MachineMetrics.omit({ recorded_at: true })
    .extend({
      recorded_at: instant.nullable().describe("When it was measured, by the machine's clock; null: nothing ever was"),
      stale: z.boolean().describe('Whether it could not be measured now, and this is of `recorded_at`'),
    })
    .describe('What was measured now, or last'),
  session: z
    .object({
      connected_at: instant.nullable().describe('When its daemon connected last'),
      last_heartbeat_at: instant.nullable().describe('When its daemon was heard last; null: never'),
      reconnect_count_24h: z.number().int().describe('How often it connected again in the last 24 hours, to the hour'),
      token_expires_at: instant.nullable().describe('Always null: a machine proves a key, which does not expire'),
      tunnel_count_active: z
        .number()
        .int()
        .nullable()
        .describe('Tunnels to it that are open; null: you may not see them'),
    })
    .describe('Its connection to the relay'),
  presence: z
    .object({
      status: z
        .enum(['healthy', 'stale', 'expired', 'never'])
        .describe(
          '`healthy`: online; `stale`: heard within 45 s; `expired`: not any more; `never`: not heard since it enrolled',
        ),
      last_seen_at: instant.nullable().describe('When its daemon was heard last; null: never'),
      freshness_seconds: z.number().nullable().describe('Seconds since it was heard last'),
    })
    .describe('Whether it is there'),
  fingerprint: z
    .object({
      public_key_fingerprint: z.string().nullable().describe('SHA-256 of the public key (SPKI, DER), hex'),
      public_key_status: MachineSummary.shape.public_key_status.describe(
        'Whether its key is good; `rotating`: another one is to take its place',
      ),
      public_key_version: z
        .number()
        .int()
        .nullable()
        .describe('How often the machine has taken a key; null where that was not counted'),
    })
    .describe('The key that it proves'),
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
    type: z.literal('snapshot').describe('Which event it is'),
    at: instant.describe("When it came to be, by the relay's clock"),
    first: z.boolean().describe('Whether it is the first snapshot: what was known before is void'),
    last: z.boolean().describe('Whether it is the last snapshot: all machines were named'),
    machines: z.array(MachineSummary).describe('Some of the machines, as they are now'),
  }),
  /** What changes between two looks of the relay (one after another, without a pause when something came) is one event. */
  z.object({
    type: z.literal('change').describe('Which event it is'),
    at: instant.describe("When it came to be, by the relay's clock"),
    change: MachineChangeName.describe(
      'What became of the machine; where several things changed at once, the first of them in the order of the names',
    ),
    machine: MachineSummary.describe(
      'The machine as it is after the change; one that is `detached` as it was last seen here',
    ),
  }),
])
export type MachineEvent = z.infer<typeof MachineEvent>
