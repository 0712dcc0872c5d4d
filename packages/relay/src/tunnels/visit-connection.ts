import { type Duplex, duplexPair } from 'node:stream'
import {
  type Channel,
  Connection,
  createMemoryTransports,
  dialTunnel,
  type TunnelCall,
  type TunnelConnectParams,
  type TunnelOutcome,
} from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'
import type { ClientPeers } from '../channel/clients.ts'
import type { TunnelRow } from '../store/tunnel-store.ts'

/** Milliseconds for which the machine keeps the connection of a visit when its way to the relay is lost. */
const ORPHAN_MS = 30_000

/** Bytes that wait on each side of the pair. */
const PAIR_BYTES = 256 * 1024

export interface VisitConnection {
  /** Speaks to the target. Its errors say that the connection was broken off; why is in the outcome. */
  readonly socket: Duplex
  /** Resolves when the connection is over. Never rejects. */
  readonly over: Promise<TunnelOutcome>
}

/**
 * A connection to the target of a tunnel for a visitor: this relay as a client of itself, with the right of who opened the tunnel and
 * the address of the visitor. It outlives the machine's connection to the relay.
 */
export function connectVisit(clients: ClientPeers, opener: Caller, tunnel: TunnelRow): VisitConnection {
  const [socket, far] = duplexPair({ highWaterMark: PAIR_BYTES })
  const over = carry(clients, { opener, tunnel, far })
  // Neither side of a pair tells the other that it was destroyed.
  socket.once('close', () => far.destroy())
  far.once('close', () => {
    if (!socket.destroyed && !socket.readableEnded) socket.destroy(new Error('The connection was broken off.'))
  })
  socket.on('error', () => {})
  void over.then(({ error }) => {
    if (error !== undefined) socket.destroy(error)
  })
  return { socket, over }
}

interface Carried {
  readonly opener: Caller
  readonly tunnel: TunnelRow
  readonly far: Duplex
}

async function carry(clients: ClientPeers, { opener, tunnel, far }: Carried): Promise<TunnelOutcome> {
  const [near, other] = createMemoryTransports()
  clients.accept(other, opener)
  await using connection = new Connection(near, { role: 'dialer', hello: () => ({}) })
  const open = async ({ method, params, callId }: TunnelCall, prepare: (channel: Channel) => void) => {
    await connection.ready
    const channel = connection.open({ method, params, callId, target: tunnel.machineId })
    prepare(channel)
    await channel.accepted
    return channel
  }
  return await dialTunnel(far, { connect: paramsOf(tunnel), newCallId: () => newId('tcn_'), open })
}

function paramsOf(tunnel: TunnelRow): TunnelConnectParams {
  const { id: tunnelId, localHost: host, localPort: port, idleSeconds, tlsServerName, insecureTls: insecure } = tunnel
  const tls = { insecure, ...(tlsServerName === null ? {} : { serverName: tlsServerName }) }
  const common = { tunnelId, host, port, idleMs: idleSeconds * 1000, orphanMs: ORPHAN_MS }
  return tunnel.protocol === 'https' ? { ...common, tls } : common
}
