import { CmdopError, tunnelIsFull } from '@cmdop/protocol'
import type { RouteEnd } from '../channel/route.ts'
import type { TunnelEnd, TunnelRow } from '../store/tunnel-store.ts'

/** Bytes after which what was carried is written down: what other relays of the set carry is known so far. */
const COUNT_BYTES = 8 * 1024 * 1024

/** Milliseconds that a timer waits at most; a longer time is waited for in parts. */
const LONGEST_WAIT_MS = 3_600_000

/** Milliseconds for which the account of a tunnel stays that nobody uses. */
const KEEP_MS = 10_000

export interface AccountOptions {
  /** Writes down what was carried; the answer is all of the tunnel. */
  readonly count: (more: { bytes: number; connections: number }) => Promise<number>
  readonly close: (reason: TunnelEnd) => Promise<void>
  /** No connection is open, and nothing is to be written: it can be forgotten. */
  readonly idle: () => void
  readonly failed: (error: unknown) => void
  readonly reset: (end: RouteEnd, error: CmdopError) => void
}

/** The connections of one tunnel through this relay, and what they carry. */
export class TunnelAccount {
  readonly #tunnel: TunnelRow
  readonly #options: AccountOptions
  readonly #open = new Set<RouteEnd>()
  #timer: NodeJS.Timeout | undefined
  #keep: NodeJS.Timeout | undefined
  /** Bytes as they are written down. */
  #written: number
  #bytes = 0
  #connections = 0
  #counting: Promise<void> | undefined
  #isClosed = false

  constructor(tunnel: TunnelRow, options: AccountOptions) {
    this.#tunnel = tunnel
    this.#options = options
    this.#written = tunnel.bytes
    this.#keepAWhile()
  }

  get maxConnections(): number {
    return this.#tunnel.maxConnections
  }

  /** What is written down now. */
  refresh({ bytes }: TunnelRow): void {
    this.#written = Math.max(this.#written, bytes)
    this.#keepAWhile()
  }

  /** Throws `rate_limit` when there are too many connections through this relay alone (the machine counts all), `conflict` when all was carried that may be. */
  assertRoom(method: string): void {
    const { maxConnections, maxBytes } = this.#tunnel
    // One that goes on was counted.
    if (method === 'tunnel.connect' && this.#open.size >= maxConnections) throw tunnelIsFull(maxConnections)
    if (maxBytes !== null && this.#written + this.#bytes >= maxBytes) throw this.#isFull(maxBytes)
  }

  /** A connection begins. The answer is called at its end. */
  enter(method: string, end: RouteEnd): () => void {
    if (this.#isClosed) throw new CmdopError('not_found', 'The tunnel was closed meanwhile.')
    this.assertRoom(method)
    this.#open.add(end)
    if (this.#timer === undefined) this.#waitForExpiry()
    return () => {
      this.#open.delete(end)
      this.#count()
    }
  }

  /** The first byte of a connection is on its way. */
  began(): void {
    this.#connections += 1
  }

  /** Throws when it is more than may be carried: that ends the connection, and the others. */
  carried(bytes: number): void {
    const { maxBytes } = this.#tunnel
    this.#bytes += bytes
    if (maxBytes !== null && this.#written + this.#bytes > maxBytes) {
      this.#options.close('bytes').catch((error: unknown) => this.#options.failed(error))
      throw this.#isFull(maxBytes)
    }
    if (this.#bytes >= COUNT_BYTES) this.#count()
  }

  /** The tunnel is closed: ends its connections at both ends. */
  endAll(): void {
    this.#isClosed = true
    for (const end of Array.from(this.#open))
      this.#options.reset(end, new CmdopError('cancelled', 'The tunnel was closed.'))
    clearTimeout(this.#timer)
    clearTimeout(this.#keep)
  }

  /** Writes down what was counted. */
  async flush(): Promise<void> {
    for (this.#count(); this.#counting !== undefined; this.#count()) await this.#counting
  }

  #count(): void {
    if (this.#counting !== undefined) return
    const more = { bytes: this.#bytes, connections: this.#connections }
    if (more.bytes === 0 && more.connections === 0) return this.#keepAWhile()
    this.#bytes = 0
    this.#connections = 0
    this.#written += more.bytes
    this.#counting = this.#options
      .count(more)
      .then(
        (written) => {
          this.#written = Math.max(this.#written, written)
        },
        (error: unknown) => this.#options.failed(error),
      )
      .finally(() => {
        this.#counting = undefined
        if (this.#open.size === 0) this.#count()
      })
  }

  #keepAWhile(): void {
    clearTimeout(this.#keep)
    this.#keep = setTimeout(() => {
      if (this.#open.size > 0 || this.#counting !== undefined) return this.#keepAWhile()
      clearTimeout(this.#timer)
      this.#options.idle()
    }, KEEP_MS).unref()
  }

  #waitForExpiry(): void {
    const leftMs = Date.parse(this.#tunnel.expiresAt) - Date.now()
    if (leftMs <= 0) {
      this.#options.close('expired').catch((error: unknown) => this.#options.failed(error))
      return
    }
    this.#timer = setTimeout(() => this.#waitForExpiry(), Math.min(leftMs, LONGEST_WAIT_MS)).unref()
  }

  #isFull(maxBytes: number): CmdopError {
    return new CmdopError('conflict', `The tunnel has carried the ${maxBytes} bytes that it may; open another one.`)
  }
}
