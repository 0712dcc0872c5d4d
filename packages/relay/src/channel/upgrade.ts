import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { CHANNEL_SUBPROTOCOL, createEmitterTransport, MAX_FRAME_BYTES, toCmdopError } from '@cmdop/protocol'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { authenticate, authenticateTicket, type Caller } from '../auth/authenticate.ts'
import { bearerOf } from '../http/guard.ts'
import type { Store } from '../store/store.ts'
import type { ClientPeers } from './clients.ts'
import type { MachinePeers } from './machines.ts'
import type { PublicTunnels } from '../tunnels/public-tunnels.ts'

const CHANNEL_PATH = '/api/channel'

export interface UpgradeOptions {
  readonly store: Store
  readonly audit: AuditTrail
  readonly clients: ClientPeers
  readonly machines: MachinePeers
  /** Takes what is for a tunnel. */
  readonly visits: Pick<PublicTunnels, 'isFor' | 'upgrade'> | undefined
  /** Origins of web pages that may connect, beside the relay's own. */
  readonly allowedOrigins: readonly string[]
  /** Where a request comes from, by what of its way is trusted. */
  addressOf(request: IncomingMessage): string | undefined
  /** True once no connection is taken any more. */
  isClosed(): boolean
}

/** Milliseconds a peer has to answer the end of its WebSocket; one that is stopped does not hold up a shutdown. */
const CLOSE_TIMEOUT_MS = 2000

/** With an option that the types of `ws` do not know yet. */
type SocketOptions = ServerOptions & { closeTimeout: number }

/**
 * Takes WebSockets at `/api/channel`: machines with `?role=machine` (they prove themselves in their hello), clients with
 * a bearer key, browsers with `?ticket=`. A caller who is refused gets an open socket that closes with the reason,
 * because no WebSocket client can read the body of an HTTP refusal.
 */
export function acceptChannels(server: Server, options: UpgradeOptions): WebSocketServer {
  const socketOptions: SocketOptions = {
    closeTimeout: CLOSE_TIMEOUT_MS,
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // A little more than a frame, so that it is the link that refuses one, with its code.
    maxPayload: MAX_FRAME_BYTES + 1024,
    skipUTF8Validation: true,
    handleProtocols: (offered) => (offered.has(CHANNEL_SUBPROTOCOL) ? CHANNEL_SUBPROTOCOL : false),
  }
  const sockets = new WebSocketServer(socketOptions)
  server.on('upgrade', (request, socket, head) => {
    if (options.visits?.isFor(request) === true && !options.isClosed())
      return options.visits.upgrade(request, socket, head)
    const url = URL.parse(request.url ?? '/', 'http://relay')
    if (url === null) return refuse(socket, '400 Bad Request')
    const refusal = options.isClosed() ? '503 Service Unavailable' : refusalOf(request, url, options.allowedOrigins)
    if (refusal !== undefined) return refuse(socket, refusal)
    sockets.handleUpgrade(request, socket, head, (webSocket) =>
      take({ webSocket, stream: socket }, url, request, options),
    )
  })
  return sockets
}

interface Upgraded {
  readonly webSocket: WebSocket
  /** Below it. */
  readonly stream: Duplex
}

function take({ webSocket, stream }: Upgraded, url: URL, request: IncomingMessage, options: UpgradeOptions): void {
  if (url.searchParams.get('role') === 'machine') {
    options.machines.accept(createEmitterTransport(webSocket, stream))
    return
  }
  const ticket = url.searchParams.get('ticket')
  const bearer = bearerOf(request.headers)
  const { store, audit } = options
  const approach = { address: options.addressOf(request), audit }
  const caller = ticket === null ? authenticate(store, bearer, approach) : authenticateTicket(store, ticket, approach)
  // A client says nothing before the relay's hello, so that no message is missed while the key is looked up.
  takeClient({ webSocket, stream }, caller, options.clients).catch(() => webSocket.terminate())
}

async function takeClient(
  { webSocket, stream }: Upgraded,
  caller: Promise<Caller>,
  clients: ClientPeers,
): Promise<void> {
  webSocket.on('error', () => {})
  try {
    const known = await caller
    if (webSocket.readyState === webSocket.OPEN) clients.accept(createEmitterTransport(webSocket, stream), known)
  } catch (cause) {
    const error = toCmdopError(cause, 'unavailable', 'The relay could not look up the key; try again.')
    createEmitterTransport(webSocket).close(4000, `${error.code}: ${error.message}`)
  }
}

function refusalOf(request: IncomingMessage, url: URL, allowedOrigins: readonly string[]): string | undefined {
  if (url.pathname !== CHANNEL_PATH) return '404 Not Found'
  const { origin, host } = request.headers
  if (origin === undefined || allowedOrigins.includes(origin)) return undefined
  return URL.parse(origin)?.host === host ? undefined : '403 Forbidden'
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => {})
  // An upgraded socket is nobody's any more: one whose other side stays open would stay for ever.
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
