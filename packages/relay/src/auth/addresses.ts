import { BlockList, isIP } from 'node:net'

/** Whether an address is in one of the ranges (CIDR, or single addresses). An IPv4 address within IPv6 is that address. */
export function isAddressIn(address: string, ranges: readonly string[]): boolean {
  const family = familyOf(address)
  return family !== undefined && addressList(ranges).check(address, family)
}

/** Whether every address of `inner` is in one of the ranges. */
export function isRangeIn(inner: string, ranges: readonly string[]): boolean {
  const { address, prefix, family } = parseRange(inner)
  return ranges.some((range) => {
    const outer = parseRange(range)
    return outer.family === family && outer.prefix <= prefix && isAddressIn(address, [range])
  })
}

/**
 * Where a request comes from: its socket, or, as far as that and those before it are proxies in `trusted` ranges, what
 * they say in `X-Forwarded-For`.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: string | undefined,
  trusted: readonly string[],
): string | undefined {
  const hops = (forwardedFor ?? '').split(',').map((hop) => hop.trim())
  let address = socketAddress
  while (address !== undefined && isAddressIn(address, trusted)) {
    const before = hops.pop()
    if (before === undefined || familyOf(before) === undefined) return address
    address = before
  }
  return address
}

/** The addresses in ranges (CIDR, or single addresses), for one that is asked about often. */
export function addressList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const { address, prefix, family } = parseRange(range)
    list.addSubnet(address, prefix, family)
  }
  return list
}

function parseRange(range: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } {
  const [address = '', prefix] = range.split('/')
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
  return { address, prefix: prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6'
}
