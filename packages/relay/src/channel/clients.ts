import { CmdopError, type Transport } from '@cmdop/protocol'
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

/** Connections of clients. A revoked key closes its connections at once, on every relay. */
export class ClientPeers {
  readonly #options: ClientPeersOptions
  readonly #peers = new Map<Peer, Caller>()
  readonly #stop: () => void

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

  accept(transport: Transport, caller: Caller): Peer {
    const peer = new Peer(transport, {
      open: async (_peer, open, end) => {
        if (this.#options.isDraining()) throw new CmdopError('unavailable', 'The relay is shutting down; nothing ran.')
        await this.#options.gate.open(caller, open, end)
      },
    })
    this.#peers.set(peer, caller)
    peer.onClosed = () => this.#peers.delete(peer)
    peer.link.sendHello({ time: Date.now(), relayId: this.#options.relayId })
    return peer
  }

  close(): void {
    this.#stop()
  }

  #revoke(keyId: string): void {
    for (const [peer, caller] of this.#peers) {
      if (caller.key.id === keyId) peer.link.close(new CmdopError('auth', 'The API key was revoked.'))
    }
  }
}
