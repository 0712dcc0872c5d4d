import type { Facts } from '@cmdop/protocol'
import { capacityReadings } from './capacity-readings.ts'
import type { Health } from './health.ts'
import { listReadings } from './list-readings.ts'
import type { ShownFacts } from './shown-facts.ts'
import { type Item, type Quantity, type Reading, timeUnits } from './reading.ts'

/** Everything this model can read of a machine. */
export function machineReadings(facts: ShownFacts, health: Health): readonly Reading[] {
  const root = facts.disks?.find((disk) => disk.mount === '/')
  const { memory } = facts
  return [
    ...identity(facts),
    ...processor(facts),
    ...capacityReadings(
      'memory',
      ['memory'],
      ['system', 'physical'],
      memory && { ...memory, usedBytes: memory.totalBytes - memory.availableBytes },
    ),
    ...capacityReadings('disks', ['disk', 'space', 'root'], ['disk', 'space', 'root', 'left'], root),
    ...listReadings(facts),
    ...verdicts(facts, health),
  ]
}

function text(value: string | null | undefined): Quantity {
  return { kind: 'text', value: value || null }
}

function number(
  value: number | null | undefined,
  unit: Extract<Quantity, { kind: 'number' }>['unit'] = 'none',
): Quantity {
  return { kind: 'number', value: value ?? null, unit }
}

function identity({ hostname, os, uptimeSeconds }: ShownFacts): Reading[] {
  const host = ['hostname', 'host', 'machine', 'server', 'node']
  return [
    { fact: 'hostname', needs: [host], may: ['name', 'system'], read: () => text(hostname) },
    {
      fact: 'os',
      needs: [['os']],
      may: ['name', 'linux'],
      read: () => text(os && [os.distribution, os.release].filter(Boolean).join(' ')),
    },
    { fact: 'os', needs: [['os'], ['version', 'release']], may: [], read: () => text(os?.release) },
    { fact: 'os', needs: [['kernel']], may: ['version', 'release', 'os', 'linux'], read: () => text(os?.kernel) },
    { fact: 'os', needs: [['platform']], may: ['os', 'name'], read: () => text(os?.platform) },
    { fact: 'os', needs: [['architecture']], may: ['cpu', 'os', 'system'], read: () => text(os?.architecture) },
    {
      fact: 'uptimeSeconds',
      needs: [['uptime']],
      may: ['system', 'time', 'since', 'boot', ...Object.keys(timeUnits)],
      read: () => number(uptimeSeconds, 'seconds'),
    },
  ]
}

function processor({ cpu, load }: ShownFacts): Reading[] {
  const share = (): Quantity => number(cpu?.usedPercent, 'percent')
  return [
    { fact: 'cpu', needs: [['cpu']], may: ['percent', 'usage', 'used', 'use', 'total', 'busy'], read: share },
    { fact: 'cpu', needs: [['cpu'], ['percent']], may: ['load', 'usage', 'used', 'use', 'total', 'busy'], read: share },
    { fact: 'cpu', needs: [['core']], may: ['cpu', 'count', 'total', 'logical'], read: () => number(cpu?.cores) },
    { fact: 'cpu', needs: [['cpu'], ['count']], may: ['core', 'total', 'logical'], read: () => number(cpu?.cores) },
    { fact: 'cpu', needs: [['cpu'], ['model', 'name', 'brand', 'type']], may: [], read: () => text(cpu?.model) },
    {
      fact: 'load',
      needs: [['load']],
      may: ['average', 'system', 'minute', '1', '5', '15'],
      read: (words) => {
        if (words.has('15') && !words.has('1')) return number(load?.fifteen)
        if (words.has('5') && !words.has('1')) return number(load?.five)
        return load ? loads(load) : number(null)
      },
    },
  ]
}

/** As one number the load of one minute; as a list all three. */
function loads({ one, five, fifteen }: NonNullable<Facts['load']>): Quantity {
  const item = (value: number) => ({ text: String(value), number: value, readings: [] })
  return { kind: 'list', asNumber: one, items: [item(one), item(five), item(fifteen)], like: item(one) }
}

function verdicts({ collectedAt }: ShownFacts, health: Health): Reading[] {
  const { issues } = health
  const may = ['detected', 'found', 'health', 'system', 'server', 'current', 'count', 'total', 'any']
  const item = (issue: string): Item => ({ text: issue, readings: [issueText(issue)] })
  const items = issues && issues.map(item)
  const like = item('example')
  return [
    {
      fact: 'issues',
      needs: [['issue']],
      may,
      read: () => ({ kind: 'list', items, asNumber: issues && issues.length, like }),
    },
    {
      fact: 'issues',
      needs: [['healthy', 'ok']],
      may: ['is', 'system', 'server', 'machine', 'host', 'all', 'overall'],
      read: () => ({ kind: 'truth', value: issues && issues.length === 0 }),
    },
    {
      fact: 'issues',
      needs: [['summary']],
      may: ['health', 'system', 'short', 'text', 'server'],
      read: () => text(health.summary),
    },
    { fact: 'collectedAt', needs: [['timestamp']], may: [], read: () => text(collectedAt) },
    {
      fact: 'collectedAt',
      needs: [
        ['collected', 'checked', 'measured'],
        ['at', 'time'],
      ],
      may: [],
      read: () => text(collectedAt),
    },
  ]
}

/** An issue in an object: its sentence is all that is known of it. */
function issueText(issue: string): Reading {
  const words = ['issue', 'description', 'message', 'title', 'text', 'detail']
  return { fact: 'issues', needs: [words], may: words, read: () => text(issue) }
}
