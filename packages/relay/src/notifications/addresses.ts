import { lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { CmdopError, LOOPBACK, NEVER_REACHED } from '@cmdop/protocol'
import { addressList } from '../auth/addresses.ts'

/** Where no notification goes, whatever a name resolves to. */
const never = addressList(NEVER_REACHED)
const loopback = addressList(LOOPBACK)

/** Which addresses notifications may go to. */
export interface AddressRule {
  /** Over `http`, only to this host. */
  readonly loopbackOnly: boolean
}

/** The rule for an address of the web; throws `validation` for one that no webhook may have. */
export function ruleFor(url: URL, allowInsecure: boolean): AddressRule {
  const host = hostOf(url)
  const rule = { loopbackOnly: url.protocol === 'http:' && !allowInsecure }
  if (url.username !== '' || url.password !== '')
    throw new CmdopError('validation', 'Expected the url of a webhook without user and password.')
  if (rule.loopbackOnly && host !== 'localhost' && !isLoopback(host))
    throw new CmdopError(
      'validation',
      'Expected the url of a webhook to begin with https, or to be on loopback; what is sent could be read on the way.',
    )
  if (isIP(host) !== 0 && !isAllowed(host, rule)) throw refused(host)
  return rule
}

/** Whether a notification may go to this address. */
export function isAllowed(address: string, { loopbackOnly }: AddressRule): boolean {
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
  return isIP(address) !== 0 && !never.check(address, family) && (!loopbackOnly || isLoopback(address))
}

/** Resolves names only to addresses that the rule allows; with one that it does not, to none at all. */
export function createLookup(rule: AddressRule): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0)
      const wrong = addresses.find(({ address }) => !isAllowed(address, rule))
      const [first] = addresses
      if (wrong !== undefined || first === undefined) return callback(refused(hostname), '', 0)
      if (options.all === true) return callback(null, addresses)
      callback(null, first.address, first.family)
    })
  }
}

/** The host of an address of the web, an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replaceAll(/^\[|\]$/g, '')
}

function isLoopback(address: string): boolean {
  const version = isIP(address)
  return version !== 0 && loopback.check(address, version === 4 ? 'ipv4' : 'ipv6')
}

function refused(host: string): CmdopError {
  return new CmdopError(
    'validation',
    `No notification goes to ${host}: it is, or resolves to, an address of this network itself, such as the metadata of a cloud.`,
  )
}
