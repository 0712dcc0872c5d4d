import { readFile } from 'node:fs/promises'
import { release, version } from 'node:os'
import { parseEnv } from 'node:util'
import { goneCodes, unless } from './proc.ts'

/** Name and release of a distribution; the release is empty where there is none (rolling distributions). */
interface Distribution {
  distribution: string
  release: string
}

/** The distribution: os-release on Linux, the system's own version on Windows, `sw_vers` on macOS. */
export async function readDistribution(platform: NodeJS.Platform): Promise<Distribution> {
  if (platform === 'linux') return readOsRelease()
  if (platform === 'win32') return { distribution: version(), release: release() }
  const { osInfo } = await import('systeminformation')
  const info = await osInfo()
  if (info.distro === '' || info.distro === 'unknown') throw new Error('the system does not name itself')
  return { distribution: info.distro, release: info.release }
}

async function readOsRelease(): Promise<Distribution> {
  // The order of os-release(5).
  const text =
    (await unless(goneCodes, readFile('/etc/os-release', 'utf8'))) ?? (await readFile('/usr/lib/os-release', 'utf8'))
  const distribution = parseOsRelease(text)
  if (distribution === null) throw new Error('os-release has no NAME')
  return distribution
}

/** NAME, and VERSION_ID or BUILD_ID, of an os-release file; null where it has no name. */
export function parseOsRelease(text: string): Distribution | null {
  const { NAME: distribution, VERSION_ID: versionId, BUILD_ID: buildId } = parseEnv(text)
  return distribution === undefined ? null : { distribution, release: versionId ?? buildId ?? '' }
}
