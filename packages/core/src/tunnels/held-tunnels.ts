import {
  type Channel,
  CmdopError,
  type DialTunnelOptions,
  type HeldTunnel,
  type TunnelConnectParams,
} from '@cmdop/protocol'
import { newCallId } from '../answers.ts'

/** Connections that are held ready at most. */
const MAX_HELD = 4

/** Milliseconds in which connections that come count as following one another. */
const BURST_MS = 2000

/** Milliseconds for which one is held, less than a machine does. */
const HOLD_MS = 10_000

/** Milliseconds after one has come until others are prepared: what prepares them would delay it. */
const REFILL_AFTER_MS = 10

export interface HeldTunnelsOptions {
  readonly connect: TunnelConnectParams
  readonly open: DialTunnelOptions['open']
}

/**
 * Connections that are authorised, written down and accepted by the machine before anybody wants them, so that one that follows others
 * closely only has to be made. One that comes by itself finds none, and leaves none.
 */
export class HeldTunnels {
  readonly #options: HeldTunnelsOptions
  readonly #ready = new Set<HeldTunnel>()
  #opening = 0
  #came: number[] = []
  #isClosed = false
  #refill: ReturnType<typeof setTimeout> | undefined

  constructor(options: HeldTunnelsOptions) {
    this.#options = options
  }

  /** One for a connection that has come; undefined: there is none. */
  take(): HeldTunnel | undefined {
    const now = performance.now()
    this.#came = [...this.#came.filter((at) => now - at < BURST_MS), now].slice(-MAX_HELD - 1)
    const [held] = this.#ready
    if (held !== undefined) this.#ready.delete(held)
    this.#refill ??= setTimeout(() => this.#openWanted(), REFILL_AFTER_MS)
    return held
  }

  /** Lets go of all, and holds none any more. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#refill)
    for (const { channel } of this.#ready) letGo(channel)
    this.#ready.clear()
  }

  #openWanted(): void {
    this.#refill = undefined
    const wanted = this.#came.length - 1 - this.#ready.size - this.#opening
    for (let count = 0; count < wanted; count += 1) void this.#open()
  }

  async #open(): Promise<void> {
    const { connect, open } = this.#options
    const callId = newCallId()
    this.#opening += 1
    try {
      const channel = await open({ method: 'tunnel.connect', callId, params: { ...connect, held: true } }, () => {})
      if (this.#isClosed) return letGo(channel)
      this.#keep({ channel, callId })
    } catch {
      // The next connection opens one of its own, and is told why that cannot be.
    } finally {
      this.#opening -= 1
    }
  }

  #keep(held: HeldTunnel): void {
    const { channel } = held
    this.#ready.add(held)
    const timer = setTimeout(() => {
      if (this.#ready.delete(held)) letGo(channel)
    }, HOLD_MS)
    channel.over
      .catch(() => {})
      .finally(() => {
        clearTimeout(timer)
        this.#ready.delete(held)
      })
  }
}

function letGo(channel: Channel): void {
  channel.reset(new CmdopError('cancelled', 'The connection was prepared, and nobody wanted it.'))
}
