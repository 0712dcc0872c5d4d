import { readFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Facts } from '@cmdop/protocol'
import type { FactsSource } from './facts-source.ts'

type Load = NonNullable<Facts['load']>

/** Load averages: /proc/loadavg on Linux, `getloadavg` elsewhere. Rejects on Windows, where Node answers zeros. */
export async function readLoad({ platform, procRoot }: FactsSource): Promise<Load> {
  if (platform === 'win32') throw new Error('Windows keeps no load averages')
  if (platform !== 'linux') {
    const [one = 0, five = 0, fifteen = 0] = loadavg()
    return { one, five, fifteen }
  }
  const load = parseLoadavg(await readFile(join(procRoot, 'loadavg'), 'utf8'))
  if (load === null) throw new Error('/proc/loadavg has no three load averages')
  return load
}

/** The three averages of a /proc/loadavg, null where they are not there. */
export function parseLoadavg(text: string): Load | null {
  const match = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+)\s/.exec(text)
  return match === null ? null : { one: Number(match[1]), five: Number(match[2]), fifteen: Number(match[3]) }
}
