import { type BlockList, isIP } from 'node:net'
import { CmdopError, NEVER_REACHED } from '@cmdop/protocol'
import { addressList } from '../auth/addresses.ts'

const never = addressList(NEVER_REACHED)

/** Names of the metadata of clouds, which a machine would resolve. */
const NEVER_NAMED = ['metadata.google.internal', 'metadata', 'instance-data', 'instance-data.ec2.internal']

/**
 * Throws `permission` for a target that no tunnel leads to, as far as the relay sees that; the machine looks at the address that it
 * dials, too.
 */
export function assertTargetAllowed(host: string, denied: BlockList): void {
  const version = isIP(host)
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const isNamed = version === 0 && NEVER_NAMED.includes(host.toLowerCase().replace(/\.$/, ''))
  if (!isNamed && (version === 0 || (!never.check(host, family) && !denied.check(host, family)))) return
  throw new CmdopError(
    'permission',
    `No tunnel leads to ${host}: it is the metadata of a cloud or of the network itself, or the operator of the relay denies it.`,
  )
}
