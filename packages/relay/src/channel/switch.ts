import { CmdopError, type Transport } from '@cmdop/protocol'
import type { Logger } from 'pino'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Bus } from '../bus/bus.ts'
import { Pings } from '../machines/pings.ts'
import type { PermitSigner } from '../permits.ts'
import { PresenceKeeper } from '../presence.ts'
import type { Store } from '../store/store.ts'
import type { Admission } from './admission.ts'
import { ClientPeers } from './clients.ts'
import { Gate } from './gate.ts'
import { type MachineChange, MachinePeers } from './machines.ts'
import type { Peer } from './peer.ts'
import { RelayPeers } from './relay-peers.ts'
import { type DialRelay, Router } from './router.ts'
import type { GoingFleetRuns } from '../fleet-runs/going-fleet-runs.ts'
import type { RunReach } from './run-reach.ts'
import type { TunnelGate } from '../tunnels/tunnel-gate.ts'

export interface SwitchOptions {
  readonly store: Store
  readonly audit: AuditTrail
  readonly bus: Bus
  readonly relayInstance: string
  readonly signer: PermitSigner
  readonly log: Logger
  readonly isDraining: () => boolean
  /** A call was allowed (`ok`) or not. */
  readonly decided: (method: string, code: string) => void
  readonly dial: DialRelay | undefined
  readonly admission: Admission
  readonly reach: RunReach
  readonly fleetRuns: GoingFleetRuns
  readonly tunnels: TunnelGate
}

/** All connections of one relay and what joins them. */
export interface Switch {
  readonly clients: ClientPeers
  readonly gate: Gate
  readonly machines: MachinePeers
  readonly pings: Pings
  readonly counts: Readonly<Record<'machines' | 'clients' | 'channels', () => number>>
  acceptRelay(transport: Transport): void
  /** Writes last life signs, closes every connection, and waits for outcomes that are being written. */
  close(): Promise<void>
}

/** Puts the switch of one relay together. */
export function createSwitch(options: SwitchOptions): Switch {
  const { store, audit, bus, relayInstance, signer, log, isDraining, dial } = options
  const failed = (error: unknown) => log.warn({ err: error }, 'presence could not be reported')
  const router = new Router({ relayInstance, bus, ...(dial === undefined ? {} : { dial }) })
  const gate = new Gate({
    store,
    audit,
    router,
    signer,
    admission: options.admission,
    reach: options.reach,
    fleetRuns: options.fleetRuns,
    tunnels: options.tunnels,
    decided: options.decided,
    approvalFailed: (err, approvalId) => log.error({ err, approvalId }, 'the use of an approval could not be written'),
    outcomeFailed: (err, intent) => log.error({ err, intent }, 'a row that follows an intent could not be written'),
  })
  const clients = new ClientPeers({ relayId: signer.relayId, store, bus, gate, isDraining })
  const relays = new RelayPeers({ router, signer })
  const changed = (event: { change: MachineChange }) => {
    if (event.change === 'quarantined') log.error(event, 'two daemons use the key of one machine')
    else log.info(event, 'machine presence')
  }
  const machines = new MachinePeers({
    relayId: signer.relayId,
    relayInstance,
    store,
    audit,
    bus,
    router,
    changed,
    failed,
  })
  const pings = new Pings({ router, bus })
  const peers = function* (): Generator<Peer> {
    yield* router.local.values()
    yield* machines.unproven
    yield* clients.peers
    yield* relays.peers
    yield* router.dialled
  }
  const presence = new PresenceKeeper({ relayInstance, store, bus, router, peers, failed })
  return {
    clients,
    gate,
    machines,
    pings,
    counts: {
      machines: () => router.local.size,
      clients: () => clients.size,
      channels: () => [...clients.peers, ...relays.peers].reduce((sum, peer) => sum + peer.channels, 0),
    },
    acceptRelay: (transport) => void relays.accept(transport),
    close: async () => {
      presence.close()
      await presence.report().catch(failed)
      for (const peer of Array.from(peers()))
        peer.link.close(new CmdopError('unavailable', 'The relay is shutting down.'))
      clients.close()
      machines.close()
      pings[Symbol.dispose]()
      await gate.flush()
    },
  }
}
