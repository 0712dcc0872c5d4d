import { CmdopError, type Open, Permit, type Transport } from '@cmdop/protocol'
import type { PermitSigner } from '../permits.ts'
import { Peer } from './peer.ts'
import type { RouteEnd } from './route.ts'
import type { Router } from './router.ts'

export interface RelayPeersOptions {
  readonly router: Router
  readonly signer: PermitSigner
}

/** Connections of other relays. They have decided and signed already; only signed calls for machines here are passed on. */
export class RelayPeers {
  readonly #options: RelayPeersOptions
  readonly #peers = new Set<Peer>()

  constructor(options: RelayPeersOptions) {
    this.#options = options
  }

  get peers(): Iterable<Peer> {
    return this.#peers
  }

  accept(transport: Transport): Peer {
    const peer = new Peer(transport, { open: (_peer, open, end) => this.#open(open, end) })
    this.#peers.add(peer)
    peer.onClosed = () => this.#peers.delete(peer)
    peer.link.sendHello({})
    return peer
  }

  async #open(open: Open, end: RouteEnd): Promise<void> {
    const permit = open.permit
    if (permit === undefined || !this.#options.signer.verifies(permit)) {
      throw new CmdopError('permit', 'Expected a permit that a relay of this set has signed.')
    }
    const { machineId } = Permit.parse(JSON.parse(permit.body))
    const machine = this.#options.router.local.get(machineId)
    if (machine === undefined)
      throw new CmdopError('unavailable', 'The machine went away from this relay; nothing ran.')
    machine.join(end, open)
  }
}
