import * as wire from '@cmdop/protocol'
import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import type { Cancellable, Repeatable } from '../cancellable.ts'
import type { Channels } from '../channels.ts'
import { itemsOf, offsetPages } from '../pages.ts'
import type {
  ConnectedSessionList,
  ConnectedSessionOption,
  TunnelList,
  TunnelOpened,
  TunnelView,
} from '../resources.ts'
import type { RestClient } from '../rest-client.ts'
import { type FromWire, toQuery, toWire } from '../wire-names.ts'
import {
  type ForwardTarget,
  type Listen,
  type ListenOptions,
  startTunnelListener,
  type TunnelListener,
} from './tunnel-listener.ts'

/** Tunnels on a page, see `OffsetQuery` of `@cmdop/protocol`. */
type TunnelQuery = Omit<Partial<FromWire<wire.OffsetQuery>>, 'offset'>

/** Machines on a page, see `ConnectedSessionQuery` of `@cmdop/protocol`. */
type SessionQuery = Partial<FromWire<wire.ConnectedSessionQuery>>

/** `client.tunnels`: ways to ports of machines, from the public side of the relay and from this computer. */
export class TunnelsNamespace {
  readonly #rest: RestClient
  readonly #channels: Channels
  readonly #listen: Listen | undefined

  constructor(rest: RestClient, channels: Channels, listen: Listen | undefined) {
    this.#rest = rest
    this.#channels = channels
    this.#listen = listen
  }

  /**
   * Opens one to a port of a machine. `token` and `password` are shown only here. Throws `unsupported` for udp, `permission` for a target that
   * none leads to, `conflict` for a subdomain that is taken.
   */
  open(tunnel: FromWire<wire.TunnelOpen>, { signal, idempotencyKey }: Repeatable = {}): Promise<TunnelOpened> {
    const body = toWire(wire.TunnelOpen, tunnel)
    return this.#rest.call({
      method: 'POST',
      path: '/api/tunnels',
      body,
      answer: wire.TunnelOpened,
      signal,
      idempotencyKey,
    })
  }

  /** Closes it, and its connections at once. Closing it again does nothing. */
  async close(tunnelId: string, { signal }: Cancellable = {}): Promise<void> {
    const isRepeatable = true
    await this.#rest.call({ method: 'DELETE', path: pathOf(tunnelId), answer: z.null(), isRepeatable, signal })
  }

  /** One page of those that are open, the newest first. */
  list({ signal, ...given }: Partial<FromWire<wire.OffsetQuery>> & Cancellable = {}): Promise<TunnelList> {
    const query = toQuery(wire.OffsetQuery, given)
    return this.#rest.call({ method: 'GET', path: '/api/tunnels', query, answer: wire.TunnelList, signal })
  }

  /** Each that is open, page by page as they are needed. */
  iter(query: TunnelQuery & Cancellable = {}): AsyncGenerator<TunnelView> {
    return itemsOf(this.pages(query), ({ tunnelId }) => tunnelId, query)
  }

  /** Every page. Ends with the last one. */
  pages(query: TunnelQuery & Cancellable = {}): AsyncGenerator<TunnelList> {
    return offsetPages((offset) => this.list({ ...query, offset }))
  }

  /** One, also for some days after it was closed. Throws `not_found`. */
  get(tunnelId: string, { signal }: Cancellable = {}): Promise<TunnelView> {
    return this.#rest.call({ method: 'GET', path: pathOf(tunnelId), answer: wire.TunnelView, signal })
  }

  /** One page of the machines that are connected, to open one to, in order of their names. */
  sessions({ signal, ...given }: SessionQuery & Cancellable = {}): Promise<ConnectedSessionList> {
    const path = '/api/tunnels/connected-sessions'
    const query = toQuery(wire.ConnectedSessionQuery, given)
    return this.#rest.call({ method: 'GET', path, query, answer: wire.ConnectedSessionList, signal })
  }

  /** Each that is connected, page by page as they are needed. */
  iterSessions(query: Omit<SessionQuery, 'offset'> & Cancellable = {}): AsyncGenerator<ConnectedSessionOption> {
    return itemsOf(this.pagesSessions(query), ({ machineId }) => machineId, query)
  }

  /** Every page of them. Ends with the last one. */
  pagesSessions(query: Omit<SessionQuery, 'offset'> & Cancellable = {}): AsyncGenerator<ConnectedSessionList> {
    return offsetPages((offset) => this.sessions({ ...query, offset }))
  }

  /**
   * Listens on this computer: each connection goes through the tunnel of this id, or straight to a port of a machine. A connection
   * outlives the loss of the way to the machine, byte for byte. In Node only: `unsupported` in a browser.
   */
  async listen(target: string | ForwardTarget, options: ListenOptions = {}): Promise<TunnelListener> {
    const listen = this.#listen
    if (listen === undefined) throw new CmdopError('unsupported', 'A browser cannot listen; use a client in Node.')
    const forward = typeof target === 'string' ? targetOf(await this.get(target, options)) : target
    return await startTunnelListener({ channels: this.#channels, listen }, forward, options)
  }
}

/** Connections of a tunnel below which none is prepared: it would take the place of somebody's. */
const FEW_CONNECTIONS = 32

function targetOf(tunnel: TunnelView): ForwardTarget {
  const { tunnelId, machineId, localHost, localPort, idleSeconds, maxConnections } = tunnel
  const prepare = maxConnections >= FEW_CONNECTIONS
  return { tunnelId, machineId, host: localHost, port: localPort, idleMs: idleSeconds * 1000, prepare }
}

function pathOf(tunnelId: string): string {
  return `/api/tunnels/${encodeURIComponent(tunnelId)}`
}
