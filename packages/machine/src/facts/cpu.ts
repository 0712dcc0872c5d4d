import { readFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type FactsSource, sampleMs } from './facts-source.ts'
import { percentOf } from './percent.ts'

/** Processor time since boot, of all processors together, in any one unit. */
interface CpuTimes {
  total: number
  /** Doing nothing, waiting for a disk included. */
  idle: number
}

/** The number of logical processors of the machine; what this process may use, where the system hides them. */
export function countCores(): number {
  return cpus().length || availableParallelism()
}

/** The processor's name as the kernel has it; on boards where the kernel has none, as `lscpu` or `sysctl` say. */
export async function readCpuModel(): Promise<string> {
  const model = cpus()[0]?.model.trim() ?? ''
  if (model !== '' && model !== 'unknown') return model
  const { cpu } = await import('systeminformation')
  const { brand } = await cpu()
  if (brand === '') throw new Error('the system does not name the processor')
  return brand
}

/**
 * Busy share of all processors between two readings {@link sampleMs} apart, 0 to 100: /proc/stat on Linux, the
 * processor times of the system elsewhere.
 */
export async function readCpuUsage(source: FactsSource): Promise<number> {
  const before = await readTimes(source)
  await delay(sampleMs, undefined, { signal: source.signal })
  const after = await readTimes(source)
  const total = after.total - before.total
  if (total <= 0) throw new Error('the processor times of the system stand still')
  return percentOf(total - (after.idle - before.idle), total)
}

async function readTimes({ platform, procRoot }: FactsSource): Promise<CpuTimes> {
  if (platform !== 'linux') return sumTimes()
  const times = parseCpuTimes(await readFile(join(procRoot, 'stat'), 'utf8'))
  if (times === null) throw new Error('/proc/stat has no line for all processors')
  return times
}

/**
 * The first line of /proc/stat, in ticks: user, nice, system, idle, iowait, irq, softirq, steal. The two guest columns
 * that follow are already part of user and nice. Null where the line is missing.
 */
export function parseCpuTimes(text: string): CpuTimes | null {
  const columns = /^cpu +([\d ]+)$/m.exec(text)?.[1]?.split(' ').map(Number) ?? []
  const [, , , idle, ioWait = 0] = columns
  if (idle === undefined) return null
  const total = columns.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0)
  return { total, idle: idle + ioWait }
}

function sumTimes(): CpuTimes {
  const all = cpus().map(({ times }) => ({ idle: times.idle, busy: times.user + times.nice + times.sys + times.irq }))
  const idle = all.reduce((sum, times) => sum + times.idle, 0)
  return { idle, total: all.reduce((sum, times) => sum + times.busy, idle) }
}
