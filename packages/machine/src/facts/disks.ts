import { readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Facts } from '@cmdop/protocol'
import { readCommand } from './command.ts'
import type { FactsSource } from './facts-source.ts'
import { type Mount, parseMountInfo, selectMounts } from './mounts.ts'
import { unless } from './proc.ts'

type Disk = NonNullable<Facts['disks']>[number]

/** Sizes of a file system in its blocks, as statfs(2) gives them. */
interface Blocks {
  blockBytes: number
  blocks: number
  /** Free, what is kept for root included. */
  free: number
  /** Free for an ordinary user. */
  available: number
}

/** Where statfs(2) waits for another machine or program and may never return. */
const remoteType = /^(nfs|cifs|smb|ceph|afs|9p|lustre|gpfs|glusterfs|ncpfs|fuse)/

/** What `df` passes over in silence: a mount point that is covered, or closed to the daemon. */
const hiddenCodes = ['ENOENT', 'EACCES']

/**
 * Mounted file systems, sizes in bytes: /proc/self/mountinfo and statfs(2) on Linux, `df` and the logical disks through
 * systeminformation elsewhere. One that does not answer is left out and reported as `disks <mount>`.
 */
export async function readDisks(source: FactsSource): Promise<Disk[]> {
  if (source.platform !== 'linux') return readDisksElsewhere()
  const mounts = selectMounts(parseMountInfo(await readFile(join(source.procRoot, 'self/mountinfo'), 'utf8')))
  if (mounts.length === 0) throw new Error('/proc/self/mountinfo names no file system')
  const answers = await Promise.all(mounts.map((mount) => readDisk(mount, source)))
  const disks = answers.filter((disk) => disk !== null)
  if (disks.length === 0) throw new Error('no mounted file system answers')
  return disks
}

async function readDisk(mount: Mount, { signal, report }: FactsSource): Promise<Disk | null> {
  const isRemote = remoteType.test(mount.type)
  try {
    const reading = isRemote ? readRemoteBlocks(mount.mount, signal) : readBlocks(mount.mount)
    const blocks = await unless(hiddenCodes, reading)
    return blocks === null ? null : toDisk(mount, blocks)
  } catch (error) {
    report(`disks ${mount.mount}`, error)
    return null
  }
}

async function readBlocks(mount: string): Promise<Blocks> {
  const { bsize, frsize, blocks, bfree, bavail } = await statfs(mount)
  // Blocks are counted in fragments; the first releases of Node 24 do not tell their size, nearly always the same.
  return { blockBytes: frsize || bsize, blocks, free: bfree, available: bavail }
}

/** In a program that can be killed: a thread of ours would hang with a dead server, and there are only four. */
async function readRemoteBlocks(mount: string, signal: AbortSignal): Promise<Blocks> {
  const line = await readCommand('stat', ['-f', '-c', '%S %b %f %a', '--', mount], signal)
  const [blockBytes = Number.NaN, blocks = Number.NaN, free = Number.NaN, available = Number.NaN] = line
    .trim()
    .split(' ')
    .map(Number)
  if (Number.isNaN(blockBytes + blocks + free + available)) throw new Error(`stat printed ${line.trim()}`)
  return { blockBytes, blocks, free, available }
}

/** The line `df` prints for a file system, or null where it prints none: one without blocks. */
export function toDisk({ mount, filesystem, type }: Mount, blocks: Blocks): Disk | null {
  const used = blocks.blocks - blocks.free
  // A full file system may say less than zero, as an enormous unsigned number.
  const available = blocks.available > blocks.blocks ? 0 : blocks.available
  if (blocks.blocks === 0 || used + available <= 0) return null
  return {
    mount,
    filesystem,
    type,
    totalBytes: blocks.blocks * blocks.blockBytes,
    usedBytes: used * blocks.blockBytes,
    availableBytes: available * blocks.blockBytes,
    usedPercent: usedPercent(used, available),
  }
}

/** As df(1): the used share of what an ordinary user may use, rounded up to a whole number. */
function usedPercent(used: number, available: number): number {
  return Math.min(100, Math.ceil((used * 100) / (used + available)))
}

async function readDisksElsewhere(): Promise<Disk[]> {
  const { fsSize } = await import('systeminformation')
  const disks = await fsSize()
  // There is always a system disk; an empty list is how systeminformation tells a failure.
  if (disks.length === 0) throw new Error('the system named no mounted file system')
  return disks
    .filter((disk) => disk.used + disk.available > 0)
    .map((disk) => ({
      mount: disk.mount,
      filesystem: disk.fs,
      type: disk.type,
      totalBytes: disk.size,
      usedBytes: disk.used,
      availableBytes: disk.available,
      usedPercent: usedPercent(disk.used, disk.available),
    }))
}
