import {
  type Channel,
  CmdopError,
  isCmdopError,
  type Permit,
  type RememberedFor,
  type TunnelAttachParams,
  type TunnelConnectParams,
  TUNNEL_HELD_MS,
  tunnelIsFull,
  TunnelMessage,
  TunnelPipe,
} from '@cmdop/protocol'
import type { Handlers } from '../call-handler.ts'
import { dialTarget } from './dial-target.ts'
import { RefusedAddresses, type TunnelRules } from './refused-addresses.ts'

/** Connections of this machine at most, those that wait for their client included. */
const MAX_CONNECTIONS = 1024

/** Ids of connections that are remembered at most. */
const MAX_REMEMBERED = 100_000

/** How often silent connections are looked for, in milliseconds. */
const CHECK_EVERY_MS = 1000

/** A connection to a target, and who may come back to it. */
interface Connection {
  readonly pipe: TunnelPipe
  readonly principalId: string
  readonly fleetId: string
  readonly params: TunnelConnectParams
  /** Runs while its client is lost. */
  orphan: NodeJS.Timeout | undefined
}

/** A connection that is being made, or held. */
interface Dialling {
  readonly params: TunnelConnectParams
  /** Settles when the target has taken the connection, or not. */
  readonly over: Promise<void>
}

/** The tunnel connections of this machine: from channels of the relay to ports that are reached from here. */
export class TunnelConnections implements AsyncDisposable {
  readonly #refused: RefusedAddresses
  readonly #connections = new Map<string, Connection>()
  readonly #dialling = new Map<string, Dialling>()
  /** Ends what is being made. */
  #ending = new AbortController()
  #isClosing = false
  /** Of what was made here, so that nothing is made twice. */
  readonly #made = new Set<string>()
  #rememberedSince = performance.now()
  #timer: NodeJS.Timeout | undefined

  constructor(rules: TunnelRules) {
    this.#refused = new RefusedAddresses(rules)
  }

  get handlers(): Handlers {
    return {
      'tunnel.connect': (channel, params, permit) => this.#connect(channel, params, permit),
      'tunnel.attach': (channel, params, permit) => this.#attach(channel, params, permit),
    }
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size
  }

  /** Ends every connection, and takes none any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true
    await this.endAll(new CmdopError('lost', 'The daemon of the machine is stopping.'))
  }

  /** Ends every connection, those that are being made or held included. */
  async endAll(error: CmdopError): Promise<void> {
    this.#ending.abort()
    this.#ending = new AbortController()
    await Promise.allSettled(Array.from(this.#dialling.values(), ({ over }) => over))
    for (const { pipe } of this.#connections.values()) pipe.abort(error)
  }

  async #connect(channel: Channel, params: TunnelConnectParams, permit: Permit): Promise<void> {
    const { callId } = channel.open
    this.#refused.assertOn()
    if (this.#isClosing) throw new CmdopError('unavailable', 'The daemon of the machine is stopping.')
    if (this.#connections.has(callId) || this.#dialling.has(callId))
      throw new CmdopError('conflict', 'This call id was used before; nothing was connected. Use a new one.')
    if (this.#connections.size + this.#dialling.size >= MAX_CONNECTIONS)
      throw new CmdopError('unavailable', `This machine has ${MAX_CONNECTIONS} tunnel connections; end some first.`)
    this.#assertRoom(params)
    const over = this.#dial(channel, params, permit).finally(() => this.#dialling.delete(callId))
    this.#dialling.set(callId, { params, over })
    await over
  }

  /** Each relay of a set sees only the connections that go through it; here are all of them. Throws `rate_limit`. */
  #assertRoom({ tunnelId, maxConnections }: TunnelConnectParams): void {
    if (tunnelId === undefined || maxConnections === undefined) return
    const callIds = new Set<string>()
    for (const [callId, { params }] of [...this.#dialling, ...this.#connections])
      if (params.tunnelId === tunnelId) callIds.add(callId)
    if (callIds.size >= maxConnections) throw tunnelIsFull(maxConnections)
  }

  async #dial(channel: Channel, params: TunnelConnectParams, { principalId, fleetId }: Permit): Promise<void> {
    const { callId } = channel.open
    const stop = new AbortController()
    let lost: CmdopError | undefined
    channel.over.catch((error: unknown) => {
      // Whoever was lost comes back for it.
      if (isCmdopError(error) && error.code !== 'connection') stop.abort()
      else if (isCmdopError(error)) lost = error
    })
    const signal = AbortSignal.any([stop.signal, this.#ending.signal])
    const early = params.held === true ? await untilGo(channel, signal) : []
    this.#remember(callId)
    const refused = this.#refused.and(params.denied)
    const socket = await dialTarget(params, refused, signal)
    const pipe = new TunnelPipe(socket, () => this.#wait(callId))
    const connection: Connection = { pipe, principalId, fleetId, params, orphan: undefined }
    this.#connections.set(callId, connection)
    this.#timer ??= setInterval(() => this.#endSilent(), CHECK_EVERY_MS)
    void pipe.over.then(() => this.#forget(callId, connection))
    if (lost !== undefined) return this.#wait(callId)
    this.#serve(channel, connection, 0)
    for (const message of early.splice(0)) pipe.message(channel, message)
  }

  /** Goes on with a connection; only for the principal that made it, and only as part of the same tunnel. */
  async #attach(channel: Channel, { tunnelId, offset }: TunnelAttachParams, permit: Permit): Promise<void> {
    const { callId } = channel.open
    await this.#dialling.get(callId)?.over.catch(() => {})
    const connection = this.#connections.get(callId)
    const { principalId, fleetId } = permit
    if (
      connection === undefined ||
      connection.pipe.isOver ||
      connection.principalId !== principalId ||
      connection.fleetId !== fleetId ||
      connection.params.tunnelId !== tunnelId
    )
      throw new CmdopError('not_found', 'This machine has no such tunnel connection of yours (any more).', {
        details: connection === undefined ? this.#remembered(callId) : {},
      })
    clearTimeout(connection.orphan)
    this.#serve(channel, connection, offset)
  }

  /** Whether it was never made here, as far as is remembered. */
  #remembered(callId: string): RememberedFor | Record<string, never> {
    if (this.#made.has(callId)) return {}
    return { rememberedForMs: performance.now() - this.#rememberedSince }
  }

  #remember(callId: string): void {
    this.#made.add(callId)
    if (this.#made.size <= MAX_REMEMBERED) return
    this.#made.clear()
    this.#rememberedSince = performance.now()
  }

  #serve(channel: Channel, { pipe }: Connection, offset: number): void {
    channel.onControl = (message) => pipe.message(channel, message)
    channel.accept()
    channel.control({ type: 'connected', received: pipe.received }).catch(() => {})
    pipe.attach(channel, offset)
  }

  /** The client is lost, and may come back. */
  #wait(callId: string): void {
    const connection = this.#connections.get(callId)
    if (connection === undefined) return
    clearTimeout(connection.orphan)
    const late = new CmdopError('lost', 'The client of the tunnel connection did not come back in time.')
    connection.orphan = setTimeout(() => connection.pipe.abort(late), connection.params.orphanMs)
  }

  #forget(callId: string, connection: Connection): void {
    clearTimeout(connection.orphan)
    this.#connections.delete(callId)
    if (this.#connections.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #endSilent(): void {
    for (const { pipe, params } of this.#connections.values())
      if (pipe.silentMs > params.idleMs)
        pipe.abort(new CmdopError('timeout', `The tunnel connection was silent for ${params.idleMs} ms.`))
  }
}

/** Messages that a client sends before its connection is there, at most: it may say how much it sends. */
const MAX_EARLY = 8

/** Accepts a channel, and waits for the word to connect. What comes behind it is kept in the answer until there is a connection. */
async function untilGo(channel: Channel, signal: AbortSignal): Promise<unknown[]> {
  const go = Promise.withResolvers<void>()
  const early: unknown[] = []
  let isGoing = false
  channel.onControl = (message) => {
    if (early.length >= MAX_EARLY)
      throw new CmdopError('protocol', 'Expected less to be said before the connection is there.')
    if (isGoing) early.push(message)
    else if (TunnelMessage.parse(message).type === 'go') {
      isGoing = true
      go.resolve()
    }
  }
  channel.over.catch(go.reject)
  const late = new CmdopError('cancelled', 'The connection was held, and not wanted in time.')
  const timer = setTimeout(() => go.reject(late), TUNNEL_HELD_MS)
  const stop = () => go.reject(new CmdopError('cancelled', 'The connection was held, and is not made any more.'))
  signal.addEventListener('abort', stop, { once: true })
  channel.accept()
  try {
    await go.promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
  return early
}
