import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { View } from './view.ts'

const PAUSE_MS = 250

/** Bytes on the disk that the changes of a view take. Never rejects: what cannot be read, or is gone meanwhile, counts nothing. */
export function viewSize({ layers }: Pick<View, 'layers'>): Promise<number> {
  return sumOf(layers.map(({ upper }) => upper))
}

/** Looks again and again at how much directories hold, and calls `onOver` once when it is over the limit. */
export function watchSize(folders: readonly string[], limitBytes: number, onOver: () => void): Disposable {
  let isOver = false
  let timer: NodeJS.Timeout | undefined
  const look = async (): Promise<void> => {
    const bytes = await sumOf(folders)
    if (isOver) return
    if (bytes > limitBytes) {
      isOver = true
      onOver()
    } else timer = setTimeout(() => void look(), PAUSE_MS).unref()
  }
  void look()
  return {
    [Symbol.dispose]: () => {
      isOver = true
      clearTimeout(timer)
    },
  }
}

async function sumOf(folders: readonly string[]): Promise<number> {
  const sizes = await Promise.all(folders.map(sizeOf))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Bytes on the disk. What cannot be read, or is gone meanwhile, counts nothing. */
async function sizeOf(path: string): Promise<number> {
  try {
    const stats = await lstat(path)
    if (!stats.isDirectory()) return stats.blocks * 512
    let sum = stats.blocks * 512
    for (const name of await readdir(path)) sum += await sizeOf(join(path, name))
    return sum
  } catch {
    return 0
  }
}
