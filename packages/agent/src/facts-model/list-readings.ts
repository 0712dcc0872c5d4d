import type { Facts } from '@cmdop/protocol'
import { capacityReadings } from './capacity-readings.ts'
import type { Item, Quantity, Reading } from './reading.ts'
import type { ShownFacts } from './shown-facts.ts'

/** The readings that are lists. */
export function listReadings(facts: ShownFacts): Reading[] {
  return [...services(facts), ...ports(facts), ...containers(facts), ...processes(facts), disks(facts)]
}

const counted = ['count', 'total', 'list', 'name']

/** What is known of a list beside its entries. */
interface ListNotes {
  /** Entries that were cut off on the way. */
  readonly omitted: number | undefined
  /** Only entries of one kind were taken, so that the kinds of the omitted ones are not known. */
  readonly filtered?: boolean
  /** An entry with every field, to judge a schema by when the list is empty. */
  readonly like: Item
}

/** A list that was cut on its way is not the list; only its length is still known, unless it was filtered. */
function list(items: readonly Item[] | null | undefined, { omitted = 0, filtered = false, like }: ListNotes): Quantity {
  const asNumber = items && !(filtered && omitted > 0) ? items.length + omitted : null
  return { kind: 'list', items: items && omitted === 0 ? items : null, asNumber, like }
}

function services({ services, omitted }: ShownFacts): Reading[] {
  const item = (name: string, state: string): Item => ({
    text: name,
    readings: [field(['name', 'service', 'unit'], name), field(['state', 'status'], state)],
  })
  const of = (names: readonly string[] | null | undefined, state: string, left: number | undefined): Quantity =>
    list(
      names?.map((name) => item(name, state)),
      { omitted: left, like: item('example', state) },
    )
  return [
    {
      fact: 'services',
      needs: [['service']],
      may: [...counted, 'running', 'up'],
      read: () => of(services?.running, 'running', omitted?.['services.running']),
    },
    {
      fact: 'services',
      needs: [['service', 'unit'], ['failed']],
      may: [...counted, 'systemd', 'service'],
      read: () => of(services?.failed, 'failed', omitted?.['services.failed']),
    },
  ]
}

function ports({ ports, omitted }: ShownFacts): Reading[] {
  const like = portItem({ protocol: 'tcp', address: '0.0.0.0', port: 0, process: 'example' })
  const of = (protocol: string | undefined): Quantity => {
    const chosen = ports?.filter((port) => protocol === undefined || port.protocol === protocol)
    return list(chosen?.map(portItem), { omitted: omitted?.ports, filtered: protocol !== undefined, like })
  }
  return [
    {
      fact: 'ports',
      needs: [['port']],
      may: [...counted, 'listening', 'tcp', 'udp', 'socket', 'network'],
      read: (words) => of(words.has('tcp') === words.has('udp') ? undefined : words.has('tcp') ? 'tcp' : 'udp'),
    },
  ]
}

function portItem({ protocol, address, port, process }: NonNullable<Facts['ports']>[number]): Item {
  return {
    text: `${port}/${protocol}`,
    number: port,
    readings: [
      { fact: 'ports', needs: [['port']], may: ['count'], read: () => ({ kind: 'number', value: port, unit: 'none' }) },
      field(['protocol', 'type'], protocol),
      field(['address', 'ip', 'host', 'interface'], address),
      field(['process', 'service', 'program', 'name'], process),
    ],
  }
}

function containers({ containers, omitted }: ShownFacts): Reading[] {
  const item = ({ id, name, image, state }: NonNullable<Facts['containers']>[number]): Item => ({
    text: name,
    readings: [
      field(['id'], id),
      field(['name', 'container'], name),
      field(['image'], image),
      field(['state', 'status'], state),
    ],
  })
  const like = item({ id: 'example', name: 'example', image: 'example', state: 'running' })
  const of = (filtered: boolean): Quantity => {
    const chosen = containers?.filter(({ state }) => !filtered || state === 'running')
    return list(chosen?.map(item), { omitted: omitted?.containers, filtered, like })
  }
  return [
    {
      fact: 'containers',
      needs: [['container']],
      may: [...counted, 'running'],
      read: (words) => of(words.has('running')),
    },
  ]
}

/** The facts have the ten busiest processes and the number of all. */
function processes({ processes }: ShownFacts): Reading[] {
  const like = processItem({ pid: 0, name: 'example', cpuPercent: 0, memoryPercent: 0 })
  const items = processes?.top.map(processItem) ?? null
  return [
    {
      fact: 'processes',
      needs: [['process']],
      may: [...counted, 'running', 'top', 'busiest'],
      read: () => ({ kind: 'list', items, asNumber: processes?.total ?? null, like }),
    },
  ]
}

function processItem({ pid, name, cpuPercent, memoryPercent }: NonNullable<Facts['processes']>['top'][number]): Item {
  const figure = (words: string[], value: number, unit: 'percent' | 'none'): Reading => ({
    fact: 'processes',
    needs: [words],
    may: unit === 'percent' ? ['percent', 'usage', 'used'] : ['process'],
    read: () => ({ kind: 'number', value, unit }),
  })
  return {
    text: name,
    number: pid,
    readings: [
      figure(['pid', 'id'], pid, 'none'),
      field(['name', 'process', 'command'], name),
      figure(['cpu'], cpuPercent, 'percent'),
      figure(['memory'], memoryPercent, 'percent'),
    ],
  }
}

function disks({ disks, omitted }: ShownFacts): Reading {
  const item = (disk: NonNullable<Facts['disks']>[number]): Item => ({
    text: disk.mount,
    readings: [
      field(['mount', 'path', 'mountpoint', 'point', 'name'], disk.mount),
      field(['disk', 'device'], disk.filesystem),
      field(['type'], disk.type),
      ...capacityReadings('disks', ['disk', ...spaceWords], ['disk', 'space'], disk),
    ],
  })
  const sizes = { totalBytes: 1, usedBytes: 0, availableBytes: 1, usedPercent: 0 }
  const like = item({ mount: '/', filesystem: 'example', type: 'example', ...sizes })
  return {
    fact: 'disks',
    needs: [['disk', 'mount']],
    may: [...counted, 'point', 'mounted'],
    read: () => list(disks?.map(item), { omitted: omitted?.disks, like }),
  }
}

/** Within an entry of the list of disks every size is the disk's: `free_gb`, `used_percent`. */
const spaceWords = ['free', 'available', 'total', 'size', 'capacity', 'used', 'usage', 'use', 'percent']

function field(words: readonly string[], value: string | null): Reading {
  return { fact: words[0] ?? '', needs: [words], may: words, read: () => ({ kind: 'text', value }) }
}
