import { readdirSync, readFileSync } from 'node:fs'
import { signalProcess } from '../../exec/marked-processes.ts'

interface Groups {
  /** Process group of the process itself. */
  readonly own: number
  /** Process group that has its terminal; -1 where it has none. */
  readonly foreground: number
  /** Whether it waits for something. */
  readonly sleeps: boolean
}

/** Whether the shell itself has its terminal, and waits. False where the system has no `/proc`. */
export function isShellWaiting(shell: number): boolean {
  const groups = readGroups(shell)
  return groups !== undefined && groups.foreground === groups.own && groups.sleeps
}

/** Signals what has the shell's terminal, but not the shell. Nothing where the system has no `/proc`. */
export function signalForeground(shell: number, signal: NodeJS.Signals): void {
  const groups = readGroups(shell)
  if (groups === undefined || groups.foreground <= 0) return
  if (groups.foreground !== groups.own) signalProcess(-groups.foreground, signal)
  // Without job control its commands are in its own group.
  else for (const pid of membersOf(groups.own)) if (pid !== shell) signalProcess(pid, signal)
}

function membersOf(group: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => readGroups(pid)?.own === group)
}

/** From `/proc/<pid>/stat`, proc_pid_stat(5): the fields after the name, which may hold spaces and brackets. */
function readGroups(pid: number): Groups | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, , own, , , foreground] = line.slice(line.lastIndexOf(')') + 2).split(' ')
    return { own: Number(own), foreground: Number(foreground), sleeps: state === 'S' }
  } catch {
    return undefined
  }
}
