import { CmdopError, OFFLINE_AFTER_MS, toCmdopError, type Transport } from '@cmdop/protocol'
import { type Bus, waitForOwner } from '../bus/bus.ts'
import type { MachineRow } from '../store/store.ts'
import { Peer } from './peer.ts'

/** Milliseconds a call waits for a machine that was heard a moment ago and is connecting again. */
export const RECONNECT_GRACE_MS = 5000

/** Opens a transport to another running relay; how is the deployment's matter. */
export type DialRelay = (relayInstance: string) => Promise<Transport>

export interface RouterOptions {
  readonly relayInstance: string
  readonly bus: Bus
  /** Absent where there is only one relay. */
  readonly dial?: DialRelay
}

/** Finds the connection on which a machine can be reached, wherever it is. */
export class Router {
  readonly #options: RouterOptions
  readonly #local = new Map<string, Peer>()
  readonly #rows = new Map<string, MachineRow>()
  readonly #relays = new Map<string, Promise<Peer>>()
  readonly #dialled = new Set<Peer>()

  constructor(options: RouterOptions) {
    this.#options = options
  }

  /** Machines connected to this relay. */
  get local(): ReadonlyMap<string, Peer> {
    return this.#local
  }

  /** Connections of this relay to others. */
  get dialled(): Iterable<Peer> {
    return this.#dialled
  }

  attach(machine: MachineRow, peer: Peer): void {
    this.#local.set(machine.id, peer)
    this.#rows.set(machine.id, machine)
  }

  /**
   * The row of a machine connected here, as it was when the machine proved itself. It holds as long as the connection:
   * whoever disables or moves a machine closes
   * that, and whoever changes the row says so on the bus.
   */
  row(machineId: string): MachineRow | undefined {
    return this.#rows.get(machineId)
  }

  /** The row of a machine that is connected here by this peer, as it is now. */
  replaceRow(machine: MachineRow, peer: Peer): void {
    if (this.#local.get(machine.id) === peer) this.#rows.set(machine.id, machine)
  }

  detach(machineId: string, peer: Peer): void {
    if (this.#local.get(machineId) !== peer) return
    this.#local.delete(machineId)
    this.#rows.delete(machineId)
  }

  /**
   * The peer that leads to the machine: its own connection, or the one to the relay that has it.
   * Throws `unavailable` when nobody has it; a machine heard or enrolled less than 45 s ago is waited for up to 5 s.
   */
  async open(machine: MachineRow): Promise<Peer> {
    const local = this.#local.get(machine.id)
    if (local !== undefined) return local
    const owner = await waitForOwner(this.#options.bus, machine.id, graceMs(machine))
    if (owner === undefined) throw offline(machine)
    if (owner.relayInstance === this.#options.relayInstance)
      return this.#local.get(machine.id) ?? raise(offline(machine))
    return this.#relay(owner.relayInstance, machine)
  }

  #relay(relayInstance: string, machine: MachineRow): Promise<Peer> {
    const known = this.#relays.get(relayInstance)
    if (known !== undefined) return known
    const dial = this.#options.dial ?? (() => Promise.reject(offline(machine)))
    const dialled = dial(relayInstance).then(
      (transport) => this.#connect(relayInstance, transport),
      (cause: unknown) =>
        raise(toCmdopError(cause, 'unavailable', 'The relay that holds the machine is gone; nothing ran.')),
    )
    this.#relays.set(relayInstance, dialled)
    dialled.catch(() => this.#relays.delete(relayInstance))
    return dialled
  }

  #connect(relayInstance: string, transport: Transport): Promise<Peer> {
    const ready = Promise.withResolvers<Peer>()
    const peer = new Peer(
      transport,
      {
        hello: () => {
          peer.link.sendHello({})
          ready.resolve(peer)
        },
      },
      'dialer',
    )
    this.#dialled.add(peer)
    peer.onClosed = (error) => {
      this.#dialled.delete(peer)
      this.#relays.delete(relayInstance)
      ready.reject(new CmdopError('unavailable', `The relay that holds the machine is gone: ${error.message}`))
    }
    return ready.promise
  }
}

function graceMs(machine: MachineRow): number {
  const heardAt = Date.parse(machine.lastSeenAt ?? machine.createdAt)
  return Date.now() - heardAt < OFFLINE_AFTER_MS ? RECONNECT_GRACE_MS : 0
}

function offline(machine: MachineRow): CmdopError {
  const seen = machine.lastSeenAt === null ? 'never' : `last at ${machine.lastSeenAt}`
  return new CmdopError(
    'unavailable',
    `The machine ${machine.name} is offline (seen ${seen}); nothing ran. Start its daemon with: cmdop machine run.`,
    { details: { machineId: machine.id, lastSeenAt: machine.lastSeenAt } },
  )
}

function raise(error: CmdopError): never {
  throw error
}
