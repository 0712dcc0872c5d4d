import { readFile } from 'node:fs/promises'
import { release, totalmem, userInfo } from 'node:os'
import { join } from 'node:path'
import type { MachineDescription } from '@cmdop/protocol'
import { countCores, readCpuModel } from './cpu.ts'
import { readDistribution } from './operating-system.ts'
import { withTimeLimit } from './time-limit.ts'

/** Milliseconds that each part may take: the daemon connects with what is known by then. */
const PART_LIMIT_MS = 2000

/** Characters of a text that the relay takes. */
const MAX_TEXT = 255

/** Where Linux has what the maker says of a machine. */
const DMI = '/sys/class/dmi/id'

/** Chassis types of SMBIOS (DSP0134, 7.4.1), by what people call them. */
const chassis: Readonly<Record<'desktop' | 'laptop' | 'server', readonly number[]>> = {
  desktop: [3, 4, 5, 6, 7, 13, 15, 16, 24, 35, 36],
  laptop: [8, 9, 10, 14, 30, 31, 32],
  server: [17, 23, 25, 28, 29],
}

/** What this machine is, as its daemon tells the relay when it connects. A part that cannot be read is null. Never rejects. */
export async function describeMachine(): Promise<MachineDescription> {
  const attempt = (read: () => Promise<string | null>) =>
    withTimeLimit(read, { limitMs: PART_LIMIT_MS }).then(shorten, () => null)
  const [osVersion, cpuModel, deviceType, deviceModel] = await Promise.all([
    attempt(async () => {
      const { distribution, release: version } = await readDistribution(process.platform)
      return `${distribution} ${version}`
    }),
    attempt(readCpuModel),
    attempt(readDeviceType),
    attempt(() => readFile(join(DMI, 'product_name'), 'utf8')),
  ])
  return {
    osVersion,
    kernel: shorten(release()),
    ...describeUser(),
    cpuModel,
    cpuCount: countCores(),
    totalRamBytes: totalmem(),
    deviceType,
    deviceModel,
  }
}

/** Whom the daemon runs as; a container may have no name for it. */
function describeUser(): Pick<MachineDescription, 'username' | 'isRoot' | 'uid' | 'homeDir'> {
  const uid = process.getuid?.() ?? null
  const isRoot = uid === null ? null : uid === 0
  try {
    const { username, homedir } = userInfo()
    return { username: shorten(username), isRoot, uid, homeDir: homedir.length > 4096 ? null : homedir }
  } catch {
    return { username: null, isRoot, uid, homeDir: null }
  }
}

async function readDeviceType(): Promise<string | null> {
  const type = Number((await readFile(join(DMI, 'chassis_type'), 'utf8')).trim())
  return Object.entries(chassis).find(([, types]) => types.includes(type))?.[0] ?? null
}

function shorten(text: string | null): string | null {
  const known = text?.trim().slice(0, MAX_TEXT) ?? ''
  return known === '' ? null : known
}
