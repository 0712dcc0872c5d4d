import { z } from 'zod'

const text = z.string().max(255).nullable()
const count = z.number().int().nonnegative().nullable()

/** What a daemon says of its machine when it connects. What it could not find out is null. */
export const MachineDescription = z.object({
  /** Of the distribution or system: `Debian GNU/Linux 12`. */
  osVersion: text,
  /** As `uname -r` prints it. */
  kernel: text,
  /** Whom the daemon runs as. */
  username: text,
  /** Whether that is root. */
  isRoot: z.boolean().nullable(),
  /** Its numeric id; null on Windows. */
  uid: z.number().int().nullable(),
  homeDir: z.string().max(4096).nullable(),
  cpuModel: text,
  /** Logical processors. */
  cpuCount: count,
  /** Bytes of memory. */
  totalRamBytes: count,
  /** `server`, `desktop` or `laptop`. */
  deviceType: text,
  /** What its maker calls it. */
  deviceModel: text,
})
export type MachineDescription = z.infer<typeof MachineDescription>
