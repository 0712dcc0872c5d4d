import { access } from 'node:fs/promises'
import type { Facts } from '@cmdop/protocol'
import { readCommand } from './command.ts'
import type { FactsSource } from './facts-source.ts'
import { goneCodes, unless } from './proc.ts'

type Services = NonNullable<Facts['services']>

/**
 * Running and failed services: systemd's where it is the running init (sd_booted(3)), launchd's on macOS, the service
 * manager's on Windows, and the processes behind `ports` where there is no service manager, as in a container.
 */
export async function readServices(source: FactsSource, ports: Promise<Facts['ports']>): Promise<Services> {
  if (source.platform === 'darwin') return parseLaunchdList(await readCommand('launchctl', ['list'], source.signal))
  if (source.platform === 'win32') return readWindowsServices()
  const isSystemd = (await unless(goneCodes, access('/run/systemd/system'))) !== null
  return isSystemd ? readSystemd(source.signal) : nameListeners(await ports)
}

async function readSystemd(signal: AbortSignal): Promise<Services> {
  const argv = [
    'list-units',
    '--type=service',
    '--state=running,failed',
    '--full',
    '--plain',
    '--no-legend',
    '--no-pager',
  ]
  return parseSystemdUnits(await readCommand('systemctl', argv, signal))
}

/** The lines of `systemctl list-units --plain --no-legend` (unit, load, active, sub, description). */
export function parseSystemdUnits(text: string): Services {
  const units = text.split('\n').flatMap((line) => {
    const match = /^\s*(\S+)\.service\s+\S+\s+(\S+)\s+(\S+)/.exec(line)
    return match === null ? [] : [{ name: match[1] ?? '', active: match[2], sub: match[3] }]
  })
  return {
    source: 'systemd',
    running: units.filter((unit) => unit.sub === 'running').map((unit) => unit.name),
    failed: units.filter((unit) => unit.active === 'failed').map((unit) => unit.name),
  }
}

/**
 * The lines of `launchctl list` (process id, last exit status, label). Failed is what does not run and exited with a
 * status above zero; below zero is the signal launchd ended an idle service with.
 */
export function parseLaunchdList(text: string): Services {
  const jobs = text.split('\n').flatMap((line) => {
    const match = /^(\d+|-)\t(-?\d+)\t(.+)$/.exec(line)
    return match === null ? [] : [{ isRunning: match[1] !== '-', status: Number(match[2]), name: match[3] ?? '' }]
  })
  return {
    source: 'launchd',
    running: jobs.filter((job) => job.isRunning).map((job) => job.name),
    failed: jobs.filter((job) => !job.isRunning && job.status > 0).map((job) => job.name),
  }
}

/** The processes that others may connect to, each name once. Rejects where none of the owners is visible. */
export function nameListeners(ports: Facts['ports']): Services {
  if (ports === null) throw new Error('no service manager runs, and the listening processes could not be read')
  const names = ports.flatMap(({ process }) => process ?? [])
  if (ports.length > 0 && names.length === 0) {
    throw new Error('no service manager runs, and the daemon may not see who owns the listening sockets')
  }
  return { source: 'listening-processes', running: [...new Set(names)].sort(), failed: null }
}

async function readWindowsServices(): Promise<Services> {
  const { services } = await import('systeminformation')
  const running = (await services('*')).filter((service) => service.running)
  // Windows never runs without services; none running is how systeminformation tells a failure.
  if (running.length === 0) throw new Error('the service manager named no running service')
  return { source: 'windows', running: running.map((service) => service.name), failed: null }
}
