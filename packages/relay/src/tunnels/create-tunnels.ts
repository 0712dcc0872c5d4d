import type { Server } from 'node:http'
import { CmdopError } from '@cmdop/protocol'
import { clientAddress } from '../auth/addresses.ts'
import type { ClientPeers } from '../channel/clients.ts'
import type { RelayConfig } from '../config.ts'
import { PublicTunnels } from './public-tunnels.ts'
import { TunnelDesk, type TunnelDeskOptions } from './tunnel-desk.ts'

/** The tunnels of a relay. */
export interface Tunnels extends AsyncDisposable {
  readonly desk: TunnelDesk
  /** Where people reach a tunnel with this subdomain; null without a domain for tunnels. */
  publicUrl(subdomain: string): string | null
  /** Lets the server take visits; undefined without a domain for tunnels. */
  serve(server: Server, visits: { clients: ClientPeers; isDraining: () => boolean }): PublicTunnels | undefined
}

export interface CreateTunnelsOptions extends Omit<TunnelDeskOptions, 'denied' | 'domain'> {
  readonly config: RelayConfig
  /** Where people reach the relay. */
  readonly publicUrl: () => string
}

/** Puts the tunnels of a relay together. Throws `config` for a domain that is not apart from the relay's own host. */
export function createTunnels({ config, publicUrl, ...options }: CreateTunnelsOptions): Tunnels {
  const { tunnelDomain: domain, trustedProxies } = config
  assertOwnDomain(domain, config.publicUrl)
  const desk = new TunnelDesk({ ...options, denied: config.tunnelDeny, domain })
  return {
    desk,
    publicUrl: (subdomain) => {
      if (domain === undefined) return null
      const { protocol, port } = new URL(publicUrl())
      return `${protocol}//${subdomain}.${domain}${port === '' ? '' : `:${port}`}`
    },
    serve: (server, { clients, isDraining }) => {
      if (domain === undefined) return undefined
      const { store, audit } = options
      const visits = new PublicTunnels({
        domain,
        tunnels: store.tunnels,
        gate: desk.gate,
        audit,
        clients,
        isSecure: () => publicUrl().startsWith('https:'),
        addressOf: ({ socket, headers }) =>
          clientAddress(socket.remoteAddress, headers['x-forwarded-for']?.toString(), trustedProxies),
        isDraining,
      })
      visits.standBefore(server)
      return visits
    },
    [Symbol.asyncDispose]: () => desk[Symbol.asyncDispose](),
  }
}

/** Pages of tunnels are anybody's, and may set cookies for the domains above them: none of these may be the relay's host, nor within it. */
function assertOwnDomain(domain: string | undefined, publicUrl: string | undefined): void {
  if (domain === undefined || publicUrl === undefined) return
  const host = new URL(publicUrl).hostname.replace(/\.$/, '')
  if (`.${host}`.endsWith(`.${domain}`) || `.${domain}`.endsWith(`.${host}`))
    throw new CmdopError(
      'config',
      `The relay at ${publicUrl} and its domain for tunnels, ${domain}, are one domain or one within the other; choose another domain for tunnels.`,
    )
}
