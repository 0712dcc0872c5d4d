import { endianness } from 'node:os'

/** A socket that waits for others: listening (tcp), or bound without a peer (udp). */
export interface OpenSocket {
  protocol: 'tcp' | 'udp'
  /** IPv4 in dots, IPv6 in its short form; `0.0.0.0` and `::` for all addresses. */
  address: string
  port: number
  /** What /proc/<pid>/fd calls it by: `socket:[<inode>]`. */
  inode: string
}

/** The kernel's states: TCP_LISTEN, and TCP_CLOSE, which is what an unconnected udp socket is in. */
const openStates = { tcp: '0A', udp: '07' } as const

/**
 * The open sockets of a /proc/net/tcp, tcp6, udp or udp6 (proc_net(5)): addresses in hexadecimal words of the machine's
 * byte order, ports in hexadecimal. A line that is none is left out.
 */
export function parseSocketTable(text: string, protocol: OpenSocket['protocol']): OpenSocket[] {
  return text.split('\n').flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
    const match = /^((?:[0-9A-F]{8}){1,4}):([0-9A-F]{4})$/.exec(local ?? '')
    if (match === null || state !== openStates[protocol] || inode === undefined) return []
    const [, words = '', port = ''] = match
    return [{ protocol, address: parseAddress(words), port: Number.parseInt(port, 16), inode }]
  })
}

function parseAddress(words: string): string {
  const bytes = (words.match(/.{8}/g) ?? []).flatMap((word) => {
    const inOrder = [...Buffer.from(word, 'hex')]
    return endianness() === 'LE' ? inOrder.toReversed() : inOrder
  })
  return bytes.length === 4 ? bytes.join('.') : shortenIpv6(bytes)
}

function shortenIpv6(bytes: number[]): string {
  const hex = Buffer.from(bytes).toString('hex')
  const isMapped = hex.startsWith('00000000000000000000ffff')
  if (isMapped) return `::ffff:${bytes.slice(12).join('.')}`
  // The URL parser writes an address in its short form (RFC 5952).
  return new URL(`http://[${(hex.match(/.{4}/g) ?? []).join(':')}]`).hostname.slice(1, -1)
}
