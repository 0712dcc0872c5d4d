import { chmodSync, closeSync, constants, lstatSync, openSync, readdirSync, statSync } from 'node:fs'
import { joinBytes } from './disk/path-bytes.ts'
import { codeOf } from './disk/system-error.ts'
import { createPace } from './pace.ts'
import type { View } from './view.ts'

const PAUSE_MS = 250

/** Bytes on the disk that the changes of a view take; infinite where something in it cannot be looked at. Never rejects. */
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

/** Node does not know it; the value is that of x64 and arm64. */
const O_PATH = 0x200000
const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** Bytes on the disk: no limit holds what cannot be looked at, so it counts without end; what is gone meanwhile counts nothing. */
async function sizeOf(folder: string): Promise<number> {
  try {
    return await sizeBelow(openSync(folder, DIRECTORY), createPace())
  } catch (error) {
    return isGone(error) ? 0 : Number.POSITIVE_INFINITY
  }
}

/** Of an open directory, which is closed then. What is in it is reached from it, however long its path is. */
async function sizeBelow(descriptor: number, pace: ReturnType<typeof createPace>): Promise<number> {
  const path = Buffer.from(`/proc/self/fd/${descriptor}`)
  const { mode, blocks } = statSync(path)
  // One that commands closed to their own user is opened meanwhile.
  const isClosed = (mode & 0o500) !== 0o500 && process.geteuid?.() !== 0
  try {
    if (isClosed) chmodSync(path, (mode & 0o7777) | 0o500)
    let sum = blocks * 512
    for (const name of readdirSync(path, { encoding: 'buffer' })) {
      const found = lookAt(joinBytes(path, name))
      sum += 'bytes' in found ? found.bytes : await sizeBelow(found.directory, pace)
      await pace()
    }
    return sum
  } finally {
    if (isClosed) chmodSync(path, mode & 0o7777)
    closeSync(descriptor)
  }
}

/** Bytes of an entry, or the open directory that it is. */
function lookAt(path: Buffer): { readonly bytes: number } | { readonly directory: number } {
  try {
    const stats = lstatSync(path)
    return stats.isDirectory() ? { directory: openSync(path, DIRECTORY) } : { bytes: stats.blocks * 512 }
  } catch (error) {
    if (isGone(error)) return { bytes: 0 }
    throw error
  }
}

function isGone(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP'
}
