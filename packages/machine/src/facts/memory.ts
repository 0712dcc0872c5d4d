import { readFile } from 'node:fs/promises'
import { freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Facts } from '@cmdop/protocol'
import type { FactsSource } from './facts-source.ts'
import { percentOf } from './percent.ts'

/**
 * Memory of the machine, in bytes: MemTotal and MemAvailable of /proc/meminfo on Linux, `vm_stat` on macOS, the
 * system's own available memory on Windows.
 */
export async function readMemory(source: FactsSource): Promise<NonNullable<Facts['memory']>> {
  const { totalBytes, availableBytes } = await readSizes(source)
  return { totalBytes, availableBytes, usedPercent: percentOf(totalBytes - availableBytes, totalBytes) }
}

interface MemorySizes {
  totalBytes: number
  availableBytes: number
}

async function readSizes({ platform, procRoot }: FactsSource): Promise<MemorySizes> {
  if (platform === 'linux') return readMeminfo(procRoot)
  if (platform === 'win32') return { totalBytes: totalmem(), availableBytes: freemem() }
  const { mem } = await import('systeminformation')
  const { total, available, reclaimable } = await mem()
  // When vm_stat fails, systeminformation answers with the free pages as the available ones and this zero.
  if (reclaimable === 0) throw new Error('vm_stat gave no figures')
  return { totalBytes: total, availableBytes: available }
}

/** Reads {@link parseMeminfo}; rejects where the kernel does not tell both figures. */
export async function readMeminfo(procRoot: string): Promise<MemorySizes> {
  const sizes = parseMeminfo(await readFile(join(procRoot, 'meminfo'), 'utf8'))
  if (sizes === null) throw new Error('/proc/meminfo has no MemTotal or no MemAvailable')
  return sizes
}

/** MemTotal and MemAvailable of a /proc/meminfo, in bytes; null where one is missing (kernels before 3.14). */
export function parseMeminfo(text: string): MemorySizes | null {
  const totalKiB = /^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1]
  const availableKiB = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1]
  if (totalKiB === undefined || availableKiB === undefined || Number(totalKiB) === 0) return null
  return { totalBytes: Number(totalKiB) * 1024, availableBytes: Number(availableKiB) * 1024 }
}
