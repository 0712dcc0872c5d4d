import { BlockList, isIP } from 'node:net'
import { CmdopError, IpRange, NEVER_REACHED } from '@cmdop/protocol'

/** What the configuration of the daemon refuses beside the metadata addresses, which are refused always. */
export interface TunnelRules {
  /** No tunnel connection at all. */
  readonly isOff: boolean
  /** Addresses (CIDR) that none reaches. */
  readonly denied: readonly string[]
}

/** The addresses that no tunnel connection of this machine reaches. */
export class RefusedAddresses {
  readonly #rules: TunnelRules
  readonly #list = new BlockList()

  constructor(rules: TunnelRules) {
    this.#rules = rules
    for (const range of [...NEVER_REACHED, ...rules.denied]) {
      const [address = '', prefix] = range.split('/')
      const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
      this.#list.addSubnet(address, prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family)
    }
  }

  /** These, and what a relay denies (CIDR). */
  and(denied: readonly string[] = []): RefusedAddresses {
    const { isOff, denied: own } = this.#rules
    return denied.length === 0 ? this : new RefusedAddresses({ isOff, denied: [...own, ...denied] })
  }

  /** Throws `permission` where tunnels are off. */
  assertOn(): void {
    if (this.#rules.isOff)
      throw new CmdopError(
        'permission',
        'This machine takes no tunnel connections: its daemon runs with CMDOP_TUNNELS=off.',
      )
  }

  /** Throws `permission` for an address that is not to be reached; what is no address is refused too. */
  check(address: string): void {
    const version = isIP(address)
    if (version !== 0 && !this.#list.check(address, version === 4 ? 'ipv4' : 'ipv6')) return
    throw new CmdopError(
      'permission',
      `No tunnel of this machine reaches ${address}: it is the metadata of a cloud or of this network itself, or CMDOP_TUNNEL_DENY or the relay denies it.`,
    )
  }
}

/** The rules of the daemon's environment. Throws `config`. */
export function parseTunnelRules(mode: string | undefined, denied: string | undefined): TunnelRules {
  if (mode !== undefined && mode !== '' && mode !== 'on' && mode !== 'off')
    throw new CmdopError('config', `Expected CMDOP_TUNNELS to be on or off, got "${mode}".`)
  const ranges = (denied ?? '').split(',').flatMap((range) => (range.trim() === '' ? [] : [range.trim()]))
  const wrong = ranges.find((range) => !IpRange.safeParse(range).success)
  if (wrong !== undefined)
    throw new CmdopError('config', `Expected CMDOP_TUNNEL_DENY to be addresses or ranges (CIDR), got "${wrong}".`)
  return { isOff: mode === 'off', denied: ranges }
}
