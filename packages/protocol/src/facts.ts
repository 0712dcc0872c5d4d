import { z } from 'zod'

/**
 * What a machine says of itself, read at one moment. A part that could not be read is `null`, never an empty list or
 * a zero, and `unavailable` says why. Sizes are bytes; GB elsewhere in CMDOP means 10^9 bytes.
 */
export const Facts = z.object({
  /** When the reading was finished, ISO 8601 in UTC by the machine's clock. */
  collectedAt: z.iso.datetime(),
  /** As `hostname` prints it. */
  hostname: z.string(),
  os: z.object({
    /** Node's name of the platform: `linux`, `darwin`, `win32`. */
    platform: z.string(),
    /** `Debian GNU/Linux`, `macOS`. */
    distribution: z.string(),
    /** Of the distribution: `12`; empty where it has none. */
    release: z.string(),
    kernel: z.string(),
    /** Node's name: `x64`, `arm64`. */
    architecture: z.string(),
  }),
  uptimeSeconds: z.number().nonnegative().nullable(),
  cpu: z.object({
    model: z.string(),
    /** Logical processors. */
    cores: z.number().int().positive(),
    /** Busy share of all processors over a sample of at least 200 ms, 0 to 100. */
    usedPercent: z.number().min(0).max(100).nullable(),
  }),
  /** Load averages over 1, 5 and 15 minutes; null where the system has none (Windows). */
  load: z.object({ one: z.number(), five: z.number(), fifteen: z.number() }).nullable(),
  /** `usedPercent` = (total - available) / total * 100, with the kernel's MemTotal and MemAvailable. */
  memory: z.object({ totalBytes: z.number(), availableBytes: z.number(), usedPercent: z.number() }).nullable(),
  /** Mounted file systems, each once, as `df` prints them. `availableBytes` is what an ordinary user may still write. */
  disks: z
    .array(
      z.object({
        mount: z.string(),
        filesystem: z.string(),
        type: z.string(),
        totalBytes: z.number(),
        usedBytes: z.number(),
        availableBytes: z.number(),
        /** Used share of what an ordinary user may use, as `df` prints it, 0 to 100. */
        usedPercent: z.number(),
      }),
    )
    .nullable(),
  /** Running services and failed ones, with where this was read. */
  services: z
    .object({
      /**
       * `systemd`, `launchd`, `windows`, or `listening-processes` where no service manager runs: the visible owners of
       * `ports`.
       */
      source: z.string(),
      running: z.array(z.string()),
      /** null where the source does not know of failures. */
      failed: z.array(z.string()).nullable(),
    })
    .nullable(),
  /** Listening sockets. `process` is null where the daemon may not see the owner. */
  ports: z
    .array(
      z.object({
        protocol: z.enum(['tcp', 'udp']),
        address: z.string(),
        port: z.number().int(),
        process: z.string().nullable(),
      }),
    )
    .nullable(),
  containers: z.array(z.object({ id: z.string(), name: z.string(), image: z.string(), state: z.string() })).nullable(),
  processes: z
    .object({
      total: z.number().int(),
      /** The ten that use the most processor time, then memory. 100 `cpuPercent` is one logical processor, as in `top`. */
      top: z.array(
        z.object({ pid: z.number().int(), name: z.string(), cpuPercent: z.number(), memoryPercent: z.number() }),
      ),
    })
    .nullable(),
  /** Which parts are null or incomplete, and why: `memory`, `cpu.usedPercent`, `disks /mnt/backup`. */
  unavailable: z.array(z.object({ fact: z.string(), reason: z.string() })),
})
export type Facts = z.infer<typeof Facts>
