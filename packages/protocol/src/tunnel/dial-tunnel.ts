import type { Channel } from '../channel/channel.ts'
import { CmdopError, isCmdopError, toCmdopError } from '../errors.ts'
import { RememberedFor } from '../methods/exec.ts'
import type { TunnelAttachParams, TunnelConnectParams, TunnelMessage } from '../methods/tunnels.ts'
import type { ByteStream } from './byte-stream.ts'
import { isLostWay, TunnelPipe, type TunnelOutcome } from './tunnel-pipe.ts'

/** Bounds of the wait between tries to come back, in milliseconds: a random time up to a bound that doubles. */
const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 1000

/** A call of the two methods, as the opener of channels has to make it. */
export type TunnelCall =
  | { readonly method: 'tunnel.connect'; readonly callId: string; readonly params: TunnelConnectParams }
  | { readonly method: 'tunnel.attach'; readonly callId: string; readonly params: TunnelAttachParams }

/** A connection that a machine is about to make: authorised, and accepted, and waiting for the word. */
export interface HeldTunnel {
  readonly channel: Channel
  readonly callId: string
}

export interface DialTunnelOptions {
  readonly connect: TunnelConnectParams
  /** A new id for a call. */
  readonly newCallId: () => string
  /** Opens a channel that the machine has accepted; `prepare` sees it before anything can arrive on it. */
  readonly open: (call: TunnelCall, prepare: (channel: Channel) => void) => Promise<Channel>
  /** A channel of `tunnel.connect` that the machine holds for it; absent: one is opened. */
  readonly held?: HeldTunnel | undefined
  /** Breaks the connection off; without it the local side does. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Carries a local connection to a port of a machine. When the way there is lost it is opened again, for as long as the machine keeps the
 * connection, and goes on without a byte lost or repeated. Resolves when it is over; the local side is ended or broken off with it. Never
 * rejects.
 */
export async function dialTunnel(stream: ByteStream, options: DialTunnelOptions): Promise<TunnelOutcome> {
  const { signal } = options
  const dialer = new Dialer(stream, options)
  const stop = () => dialer.abort(toCmdopError(signal?.reason, 'cancelled', 'The tunnel was closed.'))
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted === true) stop()
  else dialer.start()
  return dialer.over.finally(() => signal?.removeEventListener('abort', stop))
}

class Dialer {
  readonly #options: DialTunnelOptions
  readonly #pipe: TunnelPipe
  #callId: string
  #isConnected = false
  /** When the machine was told to make what it held. */
  #goAt: number | undefined

  constructor(stream: ByteStream, options: DialTunnelOptions) {
    this.#options = options
    this.#callId = options.held?.callId ?? options.newCallId()
    this.#pipe = new TunnelPipe(stream, (error) => this.#resume(error))
  }

  get over(): Promise<TunnelOutcome> {
    return this.#pipe.over
  }

  abort(error: CmdopError): void {
    this.#pipe.abort(error)
  }

  start(): void {
    const { held } = this.#options
    if (held !== undefined) return this.#go(held.channel)
    this.#connect().catch((error: unknown) => {
      if (isLostWay(error) && error.code !== 'unavailable') this.#resume(error)
      else this.abort(failed(error))
    })
  }

  /** Whether the machine connects is known only when it says so; what is sent until then is not sent twice. */
  #go(channel: Channel): void {
    this.#isConnected = true
    this.#goAt = performance.now()
    channel.onControl = (message) => this.#pipe.message(channel, message)
    channel.control({ type: 'go' } satisfies TunnelMessage).catch(() => {})
    this.#pipe.attach(channel, 0)
  }

  #connect(): Promise<void> {
    return this.#open({ method: 'tunnel.connect', callId: this.#callId, params: this.#options.connect })
  }

  #attach(): Promise<void> {
    const { tunnelId } = this.#options.connect
    const params = { offset: this.#pipe.received, ...(tunnelId === undefined ? {} : { tunnelId }) }
    return this.#open({ method: 'tunnel.attach', callId: this.#callId, params })
  }

  async #open(call: TunnelCall): Promise<void> {
    const channel = await this.#options.open(call, (opened) => this.#prepare(opened))
    this.#isConnected = true
    // Nobody wants it any more.
    if (this.#pipe.isOver) channel.reset(new CmdopError('cancelled', 'The connection was broken off meanwhile.'))
  }

  /** From its acceptance on the pipe has it; what becomes of it before is told by who opens it. */
  #prepare(channel: Channel): void {
    let early: unknown[] | undefined = []
    channel.onControl = (message) => {
      if (early === undefined) this.#pipe.message(channel, message)
      else early.push(message)
    }
    const begin = () => {
      const said = early ?? []
      early = undefined
      if (this.#pipe.isOver) return
      this.#pipe.attach(channel)
      for (const message of said) this.#pipe.message(channel, message)
    }
    channel.accepted.then(begin).catch((error: unknown) => channel.reset(failed(error)))
  }

  #resume(lost: CmdopError): void {
    this.#comeBack(lost).catch((error: unknown) => this.abort(failed(error)))
  }

  async #comeBack(lost: CmdopError): Promise<void> {
    const end = performance.now() + this.#options.connect.orphanMs
    let isNew = false
    for (let bound = FIRST_WAIT_MS; !this.#pipe.isOver; bound = Math.min(bound * 2, LONGEST_WAIT_MS)) {
      await pause(Math.random() * bound)
      if (this.#pipe.isOver) return
      try {
        return await (isNew ? this.#again() : this.#attach())
      } catch (error) {
        const isUnknown = isCmdopError(error) && error.code === 'not_found'
        // The machine has ended it: it had everything, and has told us all.
        if (isUnknown && this.#pipe.isComplete) return this.#pipe.complete()
        isNew = !isNew && isUnknown && this.#neverBegan(error)
        if (!isNew && !isTransient(error)) throw error
        if (performance.now() >= end) throw lost
      }
    }
  }

  /** Whether the target has seen nothing of it: the machine knows all that it made since the word was given. */
  #neverBegan({ details }: CmdopError): boolean {
    if (!this.#isConnected) return true
    const { rememberedForMs = 0 } = RememberedFor.safeParse(details).data ?? {}
    return this.#goAt !== undefined && rememberedForMs >= performance.now() - this.#goAt
  }

  /** It never began: no byte was exchanged, and another one takes its place. */
  #again(): Promise<void> {
    this.#callId = this.#options.newCallId()
    this.#isConnected = false
    this.#goAt = undefined
    return this.#connect()
  }
}

function isTransient(error: unknown): boolean {
  return isLostWay(error) || (isCmdopError(error) && error.code === 'timeout')
}

function failed(error: unknown): CmdopError {
  return toCmdopError(error, 'connection', 'The connection through the tunnel failed.')
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
