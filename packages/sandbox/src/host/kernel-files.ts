import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { MS, bind, bindReadOnly, bindTreeReadOnly, mount, placeholder, tmpfs } from './mount-calls.ts'
import type { HostPlan, ViewReport } from './plan.ts'

/** Below /proc: what acts on the whole machine when written. */
const CONTROLS = ['sys', 'sysrq-trigger', 'irq', 'bus', 'acpi', 'scsi', 'mtrr', 'fs']

/** Below /proc: what tells about the whole machine's memory, keys and log. */
const MASKED = ['kcore', 'kmsg', 'keys', 'timer_list', 'sched_debug', 'latency_stats']

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

/** With those that the view has in its own way. */
const HAVE = new Set([...DEVICES, 'ptmx', 'console'])

/** Devices that are named. */
const MOST_NAMES = 20

const NO_PROGRAMS = MS.NOSUID | MS.NODEV | MS.NOEXEC

/** Puts /proc, /sys and /dev into the view: its own processes, nothing that can be set, and devices that hold nothing. */
export function addKernelFiles(plan: HostPlan, at: string): void {
  for (const name of ['proc', 'sys', 'dev']) if (!existsSync(join(at, name))) mkdirSync(join(at, name))
  addProcesses(plan, join(at, 'proc'))
  addSystem(plan, join(at, 'sys'))
  addDevices(join(at, 'dev'))
}

function addProcesses(plan: HostPlan, at: string): void {
  mount('proc', at, 'proc', NO_PROGRAMS)
  if (plan.without?.includes('kernel-files')) return
  for (const name of CONTROLS) {
    const path = join(at, name)
    if (existsSync(path)) bindReadOnly(path, path)
  }
  for (const name of MASKED) {
    const path = join(at, name)
    if (existsSync(path)) bind('/dev/null', path)
  }
}

/** A fresh one shows the view's own network devices; without a network of its own, the machine's, read-only with all below. */
function addSystem(plan: HostPlan, at: string): void {
  const readOnly = plan.without?.includes('kernel-files') ? 0 : MS.RDONLY
  if (plan.network === 'none') {
    try {
      return mount('sysfs', at, 'sysfs', NO_PROGRAMS | readOnly)
    } catch {
      // Where the machine's own is partly covered, as in a container, a new one is refused.
    }
  }
  if (plan.privilege === 'user') bindTreeReadOnly('/sys', at)
  else bindReadOnly('/sys', at)
}

/** What of the machine's devices no view has, as one line. */
export function missingDevices(): ViewReport['unpreviewable'] {
  const names = readdirSync('/dev', { withFileTypes: true }).flatMap((entry) =>
    (entry.isBlockDevice() || entry.isCharacterDevice()) && !HAVE.has(entry.name) ? [entry.name] : [],
  )
  if (names.length === 0) return []
  const some = names.length > MOST_NAMES ? `${names.slice(0, MOST_NAMES).join(', ')} ...` : names.join(', ')
  return [{ path: '/dev', why: `${names.length} devices are not in the view: ${some}` }]
}

function addDevices(at: string): void {
  tmpfs(at, 'mode=0755,size=1m', MS.NOSUID)
  for (const name of DEVICES) {
    placeholder(join(at, name))
    // Read-only, a device can still be written to; its mode and owner cannot be changed.
    bindReadOnly(join('/dev', name), join(at, name))
  }
  for (const name of ['pts', 'shm']) mkdirSync(join(at, name))
  mount('devpts', join(at, 'pts'), 'devpts', MS.NOSUID | MS.NOEXEC, 'newinstance,ptmxmode=0666,mode=620')
  tmpfs(join(at, 'shm'), 'mode=1777')
  const links = { ptmx: 'pts/ptmx', fd: '/proc/self/fd', stdin: 'fd/0', stdout: 'fd/1', stderr: 'fd/2' }
  for (const [name, to] of Object.entries(links)) symlinkSync(to, join(at, name))
}
