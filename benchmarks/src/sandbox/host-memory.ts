import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from './in-process.ts'

/** Milliseconds after which a host that was started, or ran something, is idle. */
const SETTLE_MS = 3000

/** Bytes of a host that waits for its plan, and of the same once its view stands and something ran in it. */
export interface HostMemory {
  readonly waiting: number
  readonly standing: number
}

/** Reads the memory of a host, with its share of what it has in common with others (PSS). */
export async function measureHostMemory(bench: Bench): Promise<HostMemory> {
  await bench.warm.ready()
  await sleep(SETTLE_MS)
  const [host, ...others] = processIds().filter(isHost)
  if (host === undefined || others.length > 0) throw new Error(`Expected one host, got ${others.length + 1}.`)
  const waiting = pssOf(host)
  const sandbox = await bench.openSandbox({ dryRun: true }, { warm: bench.warm })
  try {
    await bench.run(sandbox, ['true'])
    await sleep(SETTLE_MS)
    return { waiting, standing: pssOf(host) }
  } finally {
    await sandbox.discard()
  }
}

/** Started by `unshare`, which is a child of ours. */
function isHost(pid: number): boolean {
  const starter = parentOf(pid)
  return starter !== undefined && starter > 0 && parentOf(starter) === process.pid
}

function processIds(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

/** Undefined of one that is gone meanwhile. The name in the line before it may hold anything, also parentheses. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

function pssOf(pid: number): number {
  const [, kilobytes] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
  if (kilobytes === undefined) throw new Error(`The memory of process ${pid} cannot be read.`)
  return Number(kilobytes) * 1024
}
