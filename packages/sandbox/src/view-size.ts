import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const PAUSE_MS = 250

/** Looks again and again at how much directories hold, and calls `onOver` once when it is over the limit. */
export function watchSize(folders: readonly string[], limitBytes: number, onOver: () => void): Disposable {
  let isOver = false
  let timer: NodeJS.Timeout | undefined
  const look = async (): Promise<void> => {
    const sizes = await Promise.all(folders.map(sizeOf))
    if (isOver) return
    if (sizes.reduce((sum, size) => sum + size, 0) > limitBytes) {
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
