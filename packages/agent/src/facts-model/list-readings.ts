import type { Facts } from '@cmdop/protocol'
import { capacityReadings } from './capacity-readings.ts'
import type { Item, Quantity, Reading } from './reading.ts'
import type { ShownFacts } from './shown-facts.ts'

/** The readings that are lists. */
export function listReadings(facts: ShownFacts): Reading[] {
  return [...services(facts), ...ports(facts), ...containers(facts), ...processes(facts), disks(facts)]
}

const counted = ['count', 'total', 'list', 'name']

/** A list that was cut on its way is not the list; only its length is still known. */
function list(items: readonly Item[] | null | undefined, omitted = 0): Quantity {
  return { kind: 'list', items: items && omitted === 0 ? items : null, asNumber: items ? items.length + omitted : null }
}

function services({ services, omitted }: ShownFacts): Reading[] {
  const entries = (names: readonly string[] | null | undefined, state: string): Item[] | null =>
    names?.map((name) => ({
      text: name,
      readings: [field(['name', 'service', 'unit'], name), field(['state', 'status'], state)],
    })) ?? null
  const running = entries(services?.running, 'running')
  const failed = entries(services?.failed, 'failed')
  return [
    {
      fact: 'services',
      needs: [['service']],
      may: [...counted, 'running', 'up'],
      read: () => list(running, omitted?.['services.running']),
    },
    {
      fact: 'services',
      needs: [['service', 'unit'], ['failed']],
      may: [...counted, 'systemd', 'service'],
      read: () => list(failed, omitted?.['services.failed']),
    },
  ]
}

function ports({ ports, omitted }: ShownFacts): Reading[] {
  const of = (protocol: string | undefined): Quantity => {
    const chosen = ports?.filter((port) => protocol === undefined || port.protocol === protocol)
    return list(chosen?.map(portItem), omitted?.ports)
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
  return [
    {
      fact: 'containers',
      needs: [['container']],
      may: [...counted, 'running'],
      read: (words) =>
        list(
          containers?.filter(({ state }) => !words.has('running') || state === 'running').map(item),
          omitted?.containers,
        ),
    },
  ]
}

/** The facts have the ten busiest processes and the number of all. */
function processes({ processes }: ShownFacts): Reading[] {
  const percent = (words: string[], value: number): Reading => ({
    fact: 'processes',
    needs: [words],
    may: ['percent', 'usage', 'used'],
    read: () => ({ kind: 'number', value, unit: 'percent' }),
  })
  const items = processes?.top.map(({ pid, name, cpuPercent, memoryPercent }) => ({
    text: name,
    number: pid,
    readings: [
      {
        fact: 'processes',
        needs: [['pid', 'id']],
        may: ['process'],
        read: () => ({ kind: 'number', value: pid, unit: 'none' }),
      },
      field(['name', 'process', 'command'], name),
      percent(['cpu'], cpuPercent),
      percent(['memory'], memoryPercent),
    ] satisfies Reading[],
  }))
  return [
    {
      fact: 'processes',
      needs: [['process']],
      may: [...counted, 'running', 'top', 'busiest'],
      read: () => ({ kind: 'list', items: items ?? null, asNumber: processes?.total ?? null }),
    },
  ]
}

function disks({ disks, omitted }: ShownFacts): Reading {
  const items = disks?.map((disk) => ({
    text: disk.mount,
    readings: [
      field(['mount', 'path', 'mountpoint', 'point', 'name'], disk.mount),
      field(['disk', 'device'], disk.filesystem),
      field(['type'], disk.type),
      ...capacityReadings('disks', ['disk'], [], disk),
    ],
  }))
  return {
    fact: 'disks',
    needs: [['disk', 'mount']],
    may: [...counted, 'point', 'mounted'],
    read: () => list(items, omitted?.disks),
  }
}

function field(words: readonly string[], value: string | null): Reading {
  return { fact: words[0] ?? '', needs: [words], may: words, read: () => ({ kind: 'text', value }) }
}
