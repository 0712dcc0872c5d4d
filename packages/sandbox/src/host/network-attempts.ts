import { readFileSync } from 'node:fs'

/** Counters of the kernel for what did not get anywhere, as `protocol name` of snmp and as names of snmp6. */
const COUNTERS = ['Ip OutNoRoutes', 'Tcp AttemptFails', 'Udp NoPorts', 'Ip6OutNoRoutes', 'Udp6NoPorts']

/**
 * How often something in this network namespace tried to reach what is not there, as its kernel counts: packets and connections for
 * which there is no route, and those to a port of this machine on which, in here, nobody listens (TCP connections, UDP datagrams; IPv4 and
 * IPv6). Not counted, because no kernel counts them: Unix sockets, and lookups of names that no packet was sent for.
 */
export function networkAttempts(): number {
  const counts = new Map([...pairsOfLines(read('/proc/self/net/snmp')), ...lines(read('/proc/self/net/snmp6'))])
  return COUNTERS.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0)
}

/** A line of names, then a line of values, both beginning with the protocol. */
function pairsOfLines(text: string): [string, number][] {
  const all = text.split('\n').map((line) => line.split(' '))
  return all.flatMap(([protocol = '', ...names], at) => {
    const [next, ...values] = all[at + 1] ?? []
    if (at % 2 === 1 || next !== protocol) return []
    return names.map((name, column): [string, number] => [`${protocol.slice(0, -1)} ${name}`, Number(values[column])])
  })
}

function lines(text: string): [string, number][] {
  return text.split('\n').map((line) => {
    const [name = '', value] = line.split(/\s+/)
    return [name, Number(value)]
  })
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // A kernel without IPv6.
    return ''
  }
}
