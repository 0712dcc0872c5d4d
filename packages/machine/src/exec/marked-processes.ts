import { readdir, readFile } from 'node:fs/promises'

/** Names the call in the environment of everything it starts, so that what is left of it can be found. */
export const CALL_MARKER = 'CMDOP_CALL'

/** A process that carries the marker. */
export interface MarkedProcess {
  readonly pid: number
  readonly marker: string
}

/**
 * Processes of this machine that carry the marker, whatever group or session they moved to.
 * Only where the system has `/proc` (Linux); elsewhere none are found. What cleared its environment is not found either.
 */
export async function findMarked(marker: string): Promise<MarkedProcess[]> {
  const names = await readdir('/proc').catch(() => [])
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(pids.map(async (pid) => ({ pid, marker: await markerOf(pid) })))
  return found.filter((process): process is MarkedProcess => process.marker === marker)
}

/** Sends a signal to a process; false when it is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

async function markerOf(pid: number): Promise<string | undefined> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
  const entry = environment.split('\0').find((item) => item.startsWith(`${CALL_MARKER}=`))
  return entry?.slice(CALL_MARKER.length + 1)
}
