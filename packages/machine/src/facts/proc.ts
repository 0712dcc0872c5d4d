import { readFile, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** Files of /proc open at once: far below any limit of open files, more than enough for the thread pool. */
const batchSize = 32

/** Ids of the processes that `procRoot` shows, ascending. */
export async function listProcessIds(procRoot: string): Promise<number[]> {
  const names = await readdir(procRoot)
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((left, right) => left - right)
}

/** Results of `read` for every item in order, a bounded number at once. Without the items that have ended meanwhile. */
export async function readEach<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal,
  read: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (let start = 0; start < items.length; start += batchSize) {
    signal.throwIfAborted()
    const batch = items.slice(start, start + batchSize)
    const outcomes = await Promise.all(batch.map((item) => unless(goneCodes, read(item))))
    results.push(...outcomes.filter((outcome) => outcome !== null))
  }
  return results
}

/** Codes of reading the files of a process that has ended. */
export const goneCodes: readonly string[] = ['ENOENT', 'ESRCH']

/** The value, or null where it failed with one of these codes. Any other failure stays one. */
export async function unless<T>(codes: readonly string[], reading: Promise<T>): Promise<T | null> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof Error && 'code' in error && codes.includes(String(error.code))) return null
    throw error
  }
}

/** The name a person knows a process by; the kernel's own is cut at 15 bytes. */
export async function readProcessName(procRoot: string, pid: number): Promise<string> {
  const folder = join(procRoot, String(pid))
  const kernelName = (await readFile(join(folder, 'comm'), 'utf8')).trimEnd()
  return chooseProcessName(kernelName, await readFile(join(folder, 'cmdline'), 'utf8'))
}

/**
 * The name in `comm`, completed from `cmdline` where it was cut, or replaced by it where it is the name of a thread
 * (Node calls its first thread MainThread).
 */
export function chooseProcessName(kernelName: string, commandLine: string): string {
  const program = basename(/^[^\0\s:]*/.exec(commandLine)?.[0] ?? '')
  const isThreadName = /^(node-)?MainThread$/.test(kernelName)
  const isCut = Buffer.byteLength(kernelName) >= 15 && program.startsWith(kernelName)
  return program !== '' && (isThreadName || isCut) ? program : kernelName
}
