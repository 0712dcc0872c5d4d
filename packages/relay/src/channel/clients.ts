import { CmdopError, isRestMethod, type Transport } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import type { Bus } from '../bus/bus.ts'
import type { Gate } from './gate.ts'
import { Peer } from './peer.ts'

export interface ClientPeersOptions {
  readonly relayId: string
  readonly bus: Bus
  readonly gate: Gate
  /** True once the relay takes no new calls. */
  isDraining(): boolean
}

/** Milliseconds; far more than it takes to look up a key. */
const REMEMBER_REVOKED_MS = 60_000

/** Connections of clients. A revoked key closes its connections at once, on every relay. */
export class ClientPeers {
  readonly #options: ClientPeersOptions
  readonly #peers = new Map<Peer, Caller>()
  /** Keys revoked in the last minute, and when: who had looked one up before may come with it after. */
  readonly #revoked = new Map<string, number>()
  readonly #stop: () => void
  #closed = false

  constructor(options: ClientPeersOptions) {
    this.#options = options
    this.#stop = options.bus.subscribe((message) => {
      if (message.type === 'key-revoked') this.#revoke(message.keyId)
    })
  }

  get peers(): Iterable<Peer> {
    return this.#peers.keys()
  }

  get size(): number {
    return this.#peers.size
  }

  /** `asks`: the other end is this relay's own, which answers the operator of a machine. */
  accept(transport: Transport, caller: Caller, { asks = false }: { asks?: boolean } = {}): Peer {
    const peer = new Peer(transport, {
      open: async (_peer, open, end) => {
        if (!asks && isRestMethod(open.method)) throw overRest()
        if (this.#options.isDraining()) throw new CmdopError('unavailable', 'The relay is shutting down; nothing ran.')
        await this.#options.gate.open(caller, open, end)
      },
    })
    this.#peers.set(peer, caller)
    const stop = atExpiry(caller.key.expiresAt, () => drop(peer, 'has expired'))
    peer.onClosed = () => {
      stop()
      this.#peers.delete(peer)
    }
    peer.link.sendHello({ time: Date.now(), relayId: this.#options.relayId })
    if (this.#closed) peer.link.close(new CmdopError('unavailable', 'The relay is shutting down.'))
    if (this.#revoked.has(caller.key.id)) drop(peer, 'was revoked')
    return peer
  }

  /** Takes no connection any more. */
  close(): void {
    this.#closed = true
    this.#stop()
  }

  #revoke(keyId: string): void {
    const now = Date.now()
    for (const [id, at] of this.#revoked) if (now - at > REMEMBER_REVOKED_MS) this.#revoked.delete(id)
    this.#revoked.set(keyId, now)
    for (const [peer, caller] of this.#peers) if (caller.key.id === keyId) drop(peer, 'was revoked')
  }
}

function overRest(): CmdopError {
  return new CmdopError('unsupported', 'This is asked over HTTP: POST /api/machines/{id}/ask, or POST /api/approvals.')
}

/** What runs for it is ended too, and not left to go on for its `orphanMs`. */
function drop(peer: Peer, why: 'was revoked' | 'has expired'): void {
  peer.endRoutes(new CmdopError('cancelled', `The API key of the caller ${why}.`))
  peer.link.close(new CmdopError('auth', `The API key ${why}; ask for a new one.`))
}

/** Milliseconds a timer waits at most; Node takes more for none. */
const LONGEST_TIMER_MS = 2_147_483_647

/** Calls back when a key expires; the answer stops that. */
function atExpiry(expiresAt: string | null, expired: () => void): () => void {
  if (expiresAt === null) return () => {}
  let timer: NodeJS.Timeout
  const wait = () => {
    const leftMs = Date.parse(expiresAt) - Date.now()
    timer = setTimeout(
      () => (leftMs > LONGEST_TIMER_MS ? wait() : expired()),
      Math.min(leftMs, LONGEST_TIMER_MS),
    ).unref()
  }
  wait()
  return () => clearTimeout(timer)
}
