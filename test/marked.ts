import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { waitFor } from './wait-for.ts'

/** A word that no other process of this machine has in its arguments or environment. */
export function newMark(): string {
  return `mark-${randomUUID()}`
}

/** Processes, other than this one, that have the mark among their arguments or in their environment. */
export async function withMark(mark: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  const marked = await Promise.all(pids.map(async (pid) => (await describe(pid)).includes(mark)))
  return pids.filter((_, index) => marked[index]).map(Number)
}

/** Resolves when a process with the mark runs. */
export async function whenRunning(mark: string, count = 1): Promise<number[]> {
  return waitFor(
    `${count} processes with the mark run`,
    async () => {
      const pids = await withMark(mark)
      return pids.length >= count && pids
    },
    60_000,
  )
}

/** Resolves when no process with the mark is left. */
export async function whenGone(mark: string, withinMs = 5000): Promise<void> {
  await waitFor('no process with the mark is left', async () => (await withMark(mark)).length === 0, withinMs)
}

async function describe(pid: string): Promise<string> {
  const parts = ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => ''))
  return (await Promise.all(parts)).join('\0')
}
