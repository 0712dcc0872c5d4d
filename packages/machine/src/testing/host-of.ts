import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'

/** Process id of the sandbox host under which a program runs that has this text among its arguments. Waits for the program. */
export async function hostOf(text: string): Promise<number> {
  const pid = await expect
    .poll(() => programWith(text))
    .toBeDefined()
    .then(() => programWith(text))
  for (let at = pid ?? 0; at > 1; at = parentOf(at)) if (read(at, 'cmdline').includes('host')) return at
  throw new Error('The program runs under no host.')
}

function programWith(text: string): number | undefined {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).find((pid) => read(pid, 'cmdline').split('\0').includes(text))
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(read(pid, 'status'))?.[1] ?? 0)
}

function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return ''
  }
}
