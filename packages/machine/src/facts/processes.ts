import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Facts } from '@cmdop/protocol'
import { type FactsSource, sampleMs } from './facts-source.ts'
import { readMeminfo } from './memory.ts'
import { percentOf, roundPercent } from './percent.ts'
import { listProcessIds, readEach, readProcessName } from './proc.ts'
import { type ProcessStat, parseProcessStat } from './process-stat.ts'

type Processes = NonNullable<Facts['processes']>
type Process = Processes['top'][number]

const topCount = 10
const ticksPerSecond = 100

/** systeminformation answers a second call within 500 ms from the first one. */
const windowsSampleMs = 600

/**
 * The number of processes and the busiest ten. Processor time is taken between two readings of /proc/<pid>/stat on
 * Linux, from `ps` on macOS (the scheduler's average of up to a minute) and between two readings on Windows; 100 is one
 * processor. Memory is resident memory (VmRSS) as a share of the machine's.
 */
export async function readProcesses(source: FactsSource): Promise<Processes> {
  return source.platform === 'linux' ? readProcProcesses(source) : readProcessesElsewhere(source)
}

async function readProcProcesses(source: FactsSource): Promise<Processes> {
  const { totalBytes } = await readMeminfo(source.procRoot)
  const before = await takeSample(source)
  await delay(sampleMs, undefined, { signal: source.signal })
  const after = await takeSample(source)
  const top = findBusiest(before, after)
  return {
    total: after.stats.length,
    top: await readEach(top, source.signal, ({ pid, cpuPercent }) =>
      describe(pid, { cpuPercent, totalBytes, procRoot: source.procRoot }),
    ),
  }
}

/** All processes at one moment. */
interface Sample {
  /** Of a clock that only goes forward. */
  atMs: number
  stats: ProcessStat[]
}

async function takeSample({ procRoot, signal }: FactsSource): Promise<Sample> {
  const ids = await listProcessIds(procRoot)
  if (ids[0] !== 1) throw new Error('the daemon may not see the processes of other users (hidepid)')
  const atMs = performance.now()
  const lines = await readEach(ids, signal, (pid) => readFile(join(procRoot, String(pid), 'stat'), 'utf8'))
  return { atMs, stats: lines.map(parseProcessStat).filter((stat) => stat !== null) }
}

/** The ten with the most processor time between the samples, then memory. One that is new has spent all of its time. */
export function findBusiest(before: Sample, after: Sample): { pid: number; cpuPercent: number }[] {
  const seconds = (after.atMs - before.atMs) / 1000
  const earlier = new Map(before.stats.map((stat) => [stat.pid, stat]))
  return after.stats
    .map((stat) => {
      const old = earlier.get(stat.pid)
      const ticks = stat.ticks - (old?.startTicks === stat.startTicks ? old.ticks : 0)
      return { pid: stat.pid, residentPages: stat.residentPages, ticks: Math.max(0, ticks) }
    })
    .sort((left, right) => right.ticks - left.ticks || right.residentPages - left.residentPages)
    .slice(0, topCount)
    .map(({ pid, ticks }) => ({ pid, cpuPercent: roundPercent((ticks / ticksPerSecond / seconds) * 100) }))
}

interface Measures {
  cpuPercent: number
  totalBytes: number
  procRoot: string
}

async function describe(pid: number, { cpuPercent, totalBytes, procRoot }: Measures): Promise<Process> {
  const status = await readFile(join(procRoot, String(pid), 'status'), 'utf8')
  // A thread of the kernel has no memory of its own, and no such line.
  const residentKiB = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0)
  const memoryPercent = percentOf(residentKiB * 1024, totalBytes)
  return { pid, name: await readProcessName(procRoot, pid), cpuPercent, memoryPercent }
}

async function readProcessesElsewhere({ platform, signal }: FactsSource): Promise<Processes> {
  const { processes } = await import('systeminformation')
  let { list } = await processes()
  if (platform === 'win32') {
    // The first answer counts from the start of each process; only the second is a sample.
    await delay(windowsSampleMs, undefined, { signal })
    list = (await processes()).list
  }
  if (list.length === 0) throw new Error('the system named no process')
  // On Windows systeminformation gives the share of all processors.
  const scale = platform === 'win32' ? cpus().length : 1
  const top = list.toSorted((left, right) => right.cpu - left.cpu || right.mem - left.mem).slice(0, topCount)
  return {
    total: list.length,
    top: top.map(({ pid, name, cpu, mem }) => ({
      pid,
      name,
      cpuPercent: roundPercent(cpu * scale),
      memoryPercent: roundPercent(mem),
    })),
  }
}
