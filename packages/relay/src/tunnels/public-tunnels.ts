import { type IncomingMessage, request as sendRequest, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream'
import { CmdopError, Subdomain, toCmdopError } from '@cmdop/protocol'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Caller } from '../auth/authenticate.ts'
import type { ClientPeers } from '../channel/clients.ts'
import type { TunnelRow, TunnelStore } from '../store/tunnel-store.ts'
import { answerHeaders, malformed, requestHeaders, type Visit } from './forwarded-headers.ts'
import { TunnelVisitors } from './tunnel-auth.ts'
import { assertPeer, type TunnelGate } from './tunnel-gate.ts'
import { connectVisit, type VisitConnection } from './visit-connection.ts'

/** Milliseconds in which a request has to be complete that is for the relay itself; one for a tunnel takes its time. */
const OWN_REQUEST_MS = 30_000

export interface PublicTunnelsOptions {
  /** Tunnels are reached at `<subdomain>.<domain>`. */
  readonly domain: string
  readonly tunnels: TunnelStore
  readonly gate: TunnelGate
  readonly audit: AuditTrail
  readonly clients: ClientPeers
  /** Whether visitors reach the relay over TLS. */
  isSecure(): boolean
  /** Where a request comes from, by what of its way is trusted. */
  addressOf(request: IncomingMessage): string | undefined
  isDraining(): boolean
}

/** A request that may go to a target. */
interface Admitted {
  readonly connection: VisitConnection
  readonly visit: Visit
}

/** The public side of tunnels: requests whose `Host` is a tunnel's go to its target, and never to the relay's own routes. */
export class PublicTunnels {
  readonly #options: PublicTunnelsOptions
  readonly #suffix: string
  readonly #visitors = new TunnelVisitors()
  readonly #upgraded = new Set<Duplex>()

  constructor(options: PublicTunnelsOptions) {
    this.#options = options
    this.#suffix = `.${options.domain.toLowerCase()}`
  }

  /** Stands before what the server does by itself. */
  standBefore(server: Server): void {
    const own = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
    server.removeAllListeners('request')
    // An upload through a tunnel takes as long as it takes; the relay's own requests are bounded below.
    server.requestTimeout = 0
    server.headersTimeout = OWN_REQUEST_MS
    // Whatever else it asks to change to, it is answered as the request that it is.
    Object.assign(server, { shouldUpgradeCallback: isWebSocket })
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (this.isFor(request)) void this.#answer(request, response)
      else {
        boundRequest(request, response)
        for (const listener of own) listener.call(server, request, response)
      }
    })
  }

  /** Whether a request is for a tunnel, be there one or not. */
  isFor({ headers }: IncomingMessage): boolean {
    return hostOf(headers.host).endsWith(this.#suffix)
  }

  /** Takes a request to change the protocol, such as to WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {})
    this.#upgrade(request, socket, head).catch((cause: unknown) => refuseUpgrade(socket, failureOf(cause)))
  }

  /** Ends what was upgraded: the server does not know of it any more. */
  close(): void {
    for (const socket of this.#upgraded) socket.destroy()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {})
    request.on('error', () => {})
    try {
      const admitted = await this.#admit(request)
      if (response.destroyed) return void admitted.connection.socket.destroy()
      await forward(request, response, admitted).catch((cause: unknown) => {
        admitted.connection.socket.destroy()
        throw cause
      })
    } catch (cause) {
      refuse(response, failureOf(cause))
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (!isWebSocket(request)) throw new CmdopError('validation', 'Expected a change to WebSocket only, and no body.')
    const upgrade = 'websocket'
    const { connection, visit } = await this.#admit(request)
    // Whoever is gone by now is not heard of again.
    if (socket.destroyed) return void connection.socket.destroy()
    const endBoth = () => {
      connection.socket.destroy()
      socket.destroy()
    }
    const sent = sendRequest(sending(request, connection, requestHeaders(request, { ...visit, upgrade })))
    socket.once('close', () => sent.destroy())
    const answered = Promise.withResolvers<void>()
    sent.on('error', (cause) => void connection.over.then(({ error }) => answered.reject(error ?? cause)))
    sent.on('upgrade', (answer, target, targetHead) => {
      guard(endBoth, () => {
        this.#upgraded.add(socket)
        socket.once('close', () => this.#upgraded.delete(socket))
        const changed = ['Connection', 'Upgrade', 'Upgrade', answer.headers.upgrade ?? upgrade]
        socket.write(headOf(101, [...answerHeaders(answer), ...changed]))
        if (targetHead.length > 0) socket.write(targetHead)
        if (head.length > 0) target.write(head)
        join(socket, target)
      })
      answered.resolve()
    })
    // The target does not change the protocol: its answer is passed on, and that is all.
    sent.on('response', (answer) => {
      guard(answered.reject, () => {
        socket.write(headOf(answerStatus(answer), [...answerHeaders(answer), 'Connection', 'close']))
        pipeline(answer, socket, () => socket.destroy())
      })
      answered.resolve()
    })
    sent.end()
    await answered.promise.catch((cause: unknown) => {
      connection.socket.destroy()
      throw cause
    })
  }

  /** A connection to the target. Throws what the visitor is told, as little as that may be. */
  async #admit(request: IncomingMessage): Promise<Admitted> {
    const { gate, clients } = this.#options
    if (this.#options.isDraining()) throw new CmdopError('unavailable', 'The relay is shutting down.')
    const wrong = malformed(request)
    if (wrong !== undefined) throw new CmdopError('validation', wrong)
    const tunnel = await this.#find(request)
    const address = this.#options.addressOf(request)
    await this.#assertVisitor(tunnel, request, address)
    const opener: Caller = { ...(await gate.assertRight(tunnel)), address }
    const connection = connectVisit(clients, opener, tunnel)
    const protocol = this.#options.isSecure() ? 'https' : 'http'
    return { connection, visit: { address: address ?? '', protocol, isChecked: tunnel.auth !== 'none' } }
  }

  async #find({ headers }: IncomingMessage): Promise<TunnelRow> {
    const label = hostOf(headers.host).slice(0, -this.#suffix.length)
    const isLabel = Subdomain.safeParse(label).success
    const tunnel = isLabel ? await this.#options.tunnels.bySubdomain(label) : undefined
    if (tunnel === undefined || tunnel.expiresAt <= new Date().toISOString())
      throw new CmdopError('not_found', 'There is no tunnel here.')
    return tunnel
  }

  /** Throws where the visitor may not come. It is a row, one a minute of each tunnel: nobody fills the log. */
  async #assertVisitor(tunnel: TunnelRow, request: IncomingMessage, address: string | undefined): Promise<void> {
    try {
      assertPeer(tunnel, address)
      if (await this.#visitors.mayVisit(tunnel, request.headers.authorization, address)) return
      throw new CmdopError('auth', 'This tunnel is not open to everybody.', { details: { scheme: tunnel.auth } })
    } catch (cause) {
      const { code } = failureOf(cause)
      const subject = `tunnel:${tunnel.id} from ${address ?? 'an unknown address'}`
      const visitor = { principalId: 'visitor', principalKind: 'system' as const, principalName: 'visitor of a tunnel' }
      const { fleetId, machineId } = tunnel
      await this.#options.audit.denySeldom(`${tunnel.id} ${code}`, {
        ...visitor,
        fleetId,
        machineId,
        action: 'tunnel.connect',
        subject,
        code,
      })
      throw cause
    }
  }
}

/** Sends a request to the target, and its answer back. Rejects where there is none. */
async function forward(request: IncomingMessage, response: ServerResponse, admitted: Admitted): Promise<void> {
  const { connection, visit } = admitted
  const sent = sendRequest(sending(request, connection, requestHeaders(request, visit)))
  const answered = Promise.withResolvers<void>()
  // One that has its answer ends by itself.
  response.once('close', () => {
    if (!response.writableFinished) sent.destroy()
  })
  sent.on('error', (cause) => void connection.over.then(({ error }) => answered.reject(error ?? cause)))
  sent.on('response', (answer) => {
    guard(answered.reject, () => {
      response.writeHead(answerStatus(answer), answerHeaders(answer))
      response.flushHeaders()
      pipeline(answer, response, () => {})
    })
    answered.resolve()
  })
  // Only who connects may ask for it, and it would be an answer to the wrong question.
  sent.on('upgrade', (_, socket) => {
    socket.destroy()
    answered.reject(new CmdopError('protocol', 'The target changes the protocol, which nobody has asked for.'))
  })
  pipeline(request, sent, () => {})
  await answered.promise
}

/** Whatever a listener throws would end the relay, and what a target says can make many things throw. */
function guard(fail: (cause: unknown) => void, act: () => void): void {
  try {
    act()
  } catch (cause) {
    fail(cause)
  }
}

/** Status of a final answer. Its text is not passed on: it may be anything. Throws `protocol` for what no HTTP has. */
function answerStatus({ statusCode = 0 }: IncomingMessage): number {
  if (statusCode >= 200 && statusCode <= 999) return statusCode
  throw new CmdopError('protocol', 'The target answers with a status that HTTP does not have.')
}

function sending({ method, url }: IncomingMessage, { socket }: VisitConnection, headers: string[]) {
  return { method, path: url, headers, setHost: false, createConnection: () => socket }
}

/** Two connections as one, each direction ending by itself. */
function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const)
    pipeline(from, to, (error) => {
      if (error) to.destroy()
    })
}

/** A request for the relay itself has to be complete in time. */
function boundRequest(request: IncomingMessage, response: ServerResponse): void {
  const late = () => {
    // What has come whole may be answered for hours.
    if (!request.complete) request.destroy()
  }
  const timer = setTimeout(late, OWN_REQUEST_MS).unref()
  const clear = () => clearTimeout(timer)
  request.once('end', clear)
  response.once('close', clear)
}

/** Whether a request asks for what alone is changed to. One with a body would wait for it, and nobody reads that. */
function isWebSocket({ headers }: IncomingMessage): boolean {
  const { upgrade, 'content-length': length = '0', 'transfer-encoding': encoding } = headers
  return upgrade?.toLowerCase() === 'websocket' && length === '0' && encoding === undefined
}

function hostOf(host: string | undefined): string {
  return (host ?? '').toLowerCase().replace(/\.?(?::\d*)?$/, '')
}

function headOf(status: number, headers: readonly string[]): string {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`]
  for (let index = 0; index + 1 < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Of the target a visitor learns no more than that it cannot be reached. */
function failureOf(cause: unknown): CmdopError {
  const error = toCmdopError(cause, 'connection', 'The target broke the connection off.')
  const isOurs = ['validation', 'not_found', 'auth', 'rate_limit', 'expired'].includes(error.code)
  if (isOurs || error.code === 'permission') return error
  return new CmdopError('unavailable', 'What this tunnel leads to cannot be reached now.', { cause: error })
}

/** HTTP status of a refusal; of the target that cannot be reached, what a gateway says. */
function statusOf({ code, status }: CmdopError): number {
  return code === 'unavailable' ? 502 : code === 'validation' ? 400 : code === 'expired' ? 404 : status
}

function challengeOf({ code, details }: CmdopError): string[] {
  if (code !== 'auth') return []
  return ['WWW-Authenticate', details['scheme'] === 'basic' ? 'Basic realm="tunnel", charset="UTF-8"' : 'Bearer']
}

function refuse(response: ServerResponse, error: CmdopError): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  const body = `${error.message}\n`
  const type = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(Buffer.byteLength(body))]
  // What is left of the request is not read.
  response.writeHead(statusOf(error), [
    ...type,
    ...challengeOf(error),
    'Cache-Control',
    'no-store',
    'Connection',
    'close',
  ])
  response.end(body)
}

function refuseUpgrade(socket: Duplex, error: CmdopError): void {
  if (socket.destroyed) return
  const headers = [...challengeOf(error), 'Connection', 'close', 'Content-Length', '0']
  socket.once('finish', () => socket.destroy())
  socket.end(headOf(statusOf(error), headers))
}
