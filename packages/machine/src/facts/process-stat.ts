/** What the facts need of a /proc/<pid>/stat. */
export interface ProcessStat {
  pid: number
  /** User and system time since its start, in ticks of 1/100 s (USER_HZ). */
  ticks: number
  /** Start after boot, in ticks; with the id it tells a process from a later one of the same id. */
  startTicks: number
  /** Resident memory in pages; enough to sort by, its unit depends on the machine. */
  residentPages: number
}

/** A line of /proc/<pid>/stat (proc_pid_stat(5)), null where it is none. The name in it may hold spaces and brackets. */
export function parseProcessStat(line: string): ProcessStat | null {
  const match = /^(\d+) \(.*\) (\S(?: -?\d+){21,})\s*$/s.exec(line)
  if (match === null) return null
  // The first one here is field 3 of the manual page.
  const fields = (match[2] ?? '').split(' ').map(Number)
  const field = (number: number) => fields[number - 3] ?? 0
  return {
    pid: Number(match[1]),
    ticks: field(14) + field(15),
    startTicks: field(22),
    residentPages: field(24),
  }
}
