import type { ShownFacts } from './shown-facts.ts'

/** Above these a figure is an issue. Shares in percent; load is the average of one minute for each logical processor. */
const thresholds = { cpuPercent: 90, memoryPercent: 90, diskPercent: 90, loadPerCore: 2 } as const

/** What is wrong with a machine by its facts. */
export interface Health {
  /** null when processors, memory or disks could not be read: then nobody can say that there are none. */
  readonly issues: readonly string[] | null
  /** What was found, checked and not checked, in sentences. */
  readonly summary: string
}

/** Images that are full by their nature. */
const fullByNature = new Set(['squashfs', 'iso9660', 'erofs', 'cramfs', 'udf'])

/** Judges the facts by the {@link thresholds}. */
export function judgeHealth(facts: ShownFacts): Health {
  const issues = [...processorIssues(facts), ...memoryIssues(facts), ...diskIssues(facts), ...serviceIssues(facts)]
  const unchecked = uncheckedParts(facts)
  const essential =
    facts.cpu?.usedPercent != null && facts.memory != null && facts.disks != null && !facts.omitted?.disks
  const found = issues.length === 0 ? 'No issue was found.' : `${issues.length} found: ${issues.join('; ')}.`
  const { cpuPercent, memoryPercent, diskPercent, loadPerCore } = thresholds
  const limits = `CPU > ${cpuPercent} %, memory > ${memoryPercent} %, disk > ${diskPercent} %, load per core > ${loadPerCore}, failed services`
  const gaps = unchecked.length === 0 ? '' : ` Not checked: ${unchecked.join('; ')}.`
  return { issues: essential ? issues : null, summary: `${found} Thresholds: ${limits}.${gaps}` }
}

function processorIssues({ cpu, load }: ShownFacts): string[] {
  const issues: string[] = []
  const { cpuPercent, loadPerCore } = thresholds
  if (cpu?.usedPercent != null && cpu.usedPercent > cpuPercent)
    issues.push(`CPU use is ${round(cpu.usedPercent)} % (over ${cpuPercent} %)`)
  if (cpu && load && load.one / cpu.cores > loadPerCore) {
    issues.push(`Load is ${round(load.one)} on ${cpu.cores} cores (over ${loadPerCore} per core)`)
  }
  return issues
}

function memoryIssues({ memory }: ShownFacts): string[] {
  if (!memory || memory.usedPercent <= thresholds.memoryPercent) return []
  return [`Memory use is ${round(memory.usedPercent)} % (over ${thresholds.memoryPercent} %)`]
}

function diskIssues({ disks }: ShownFacts): string[] {
  const full = disks?.filter((disk) => disk.usedPercent > thresholds.diskPercent && !fullByNature.has(disk.type)) ?? []
  return full.map(
    (disk) => `Disk ${disk.mount} is ${round(disk.usedPercent)} % full (over ${thresholds.diskPercent} %)`,
  )
}

function serviceIssues({ services, omitted }: ShownFacts): string[] {
  const more = omitted?.['services.failed'] ?? 0
  const failed = services?.failed?.map((name) => `Service ${name} has failed`) ?? []
  return more === 0 ? failed : [...failed, `${more} more services have failed`]
}

function uncheckedParts({ cpu, memory, disks, load, services, unavailable }: ShownFacts): string[] {
  const parts: [string, string, boolean][] = [
    ['cpu', 'CPU use', cpu?.usedPercent != null],
    ['memory', 'memory', memory != null],
    ['disks', 'disks', disks != null],
    ['load', 'load', load != null],
    ['services', 'failed services', services?.failed != null],
  ]
  return parts
    .filter(([, , known]) => !known)
    .map(([fact, name]) => {
      const reason = unavailable?.find((each) => each.fact === fact || each.fact.startsWith(`${fact}.`))?.reason
      return reason === undefined ? name : `${name} (${reason})`
    })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
