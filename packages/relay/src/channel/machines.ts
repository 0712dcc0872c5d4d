import { randomBytes } from 'node:crypto'
import { CmdopError, type Hello, type MachineProof, machineProofText, movedTo, type Transport } from '@cmdop/protocol'
import { isSignedBy } from '../auth/machine-key.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Bus } from '../bus/bus.ts'
import type { MachineRow, Store } from '../store/store.ts'
import { countConnect } from '../machines/connects.ts'
import { Peer } from './peer.ts'
import { quarantined } from './quarantine.ts'
import type { Router } from './router.ts'

export interface MachinePeersOptions {
  readonly audit: AuditTrail
  readonly relayId: string
  readonly relayInstance: string
  readonly store: Store
  readonly bus: Bus
  readonly router: Router
  /** A machine came or went; for the log. */
  changed(event: { machineId: string; change: MachineChange; reason?: string }): void
  /** What belongs to a disconnect could not be told to the bus. */
  failed(error: unknown): void
}

export type MachineChange = 'connected' | 'disconnected' | 'replaced' | 'quarantined'

/**
 * Milliseconds in which a daemon that is alive answers when another one comes with its key. Until then neither is in quarantine. One
 * that is slower is let go, connects again, and is found out then.
 */
const ALIVE_WITHIN_MS = 1000

/** Takes connections of machines: challenge, proof, ownership. */
export class MachinePeers {
  readonly #options: MachinePeersOptions
  readonly #stop: () => void
  readonly #unproven = new Set<Peer>()
  /** Of each machine's connection: the start of its daemon. */
  readonly #instances = new WeakMap<Peer, string>()
  /** Of each machine: those who are being let in, one after the other. */
  readonly #admissions = new Map<string, Promise<void>>()

  constructor(options: MachinePeersOptions) {
    this.#options = options
    this.#stop = options.bus.subscribe((message) => {
      if (message.type === 'machine-claimed' && message.owner.relayInstance !== options.relayInstance)
        this.#contest(message.machineId, message.owner.machineInstance).catch((cause: unknown) => options.failed(cause))
      else if (message.type === 'machine-quarantined') this.#closeQuarantined(message.machineId)
      else if (message.type === 'machine-changed') void this.#lookAgain(message.machineId)
      else if (message.type === 'fleet-disabled') this.#closeFleet(message.fleetId)
    })
  }

  /** Connections whose proof is still to come. */
  get unproven(): Iterable<Peer> {
    return this.#unproven
  }

  /** A socket that says it is a machine. Nothing is believed until the proof. */
  accept(transport: Transport): Peer {
    const challenge = randomBytes(32).toString('base64url')
    const peer = new Peer(transport, { hello: (self, hello) => this.#prove(self, hello, challenge) })
    this.#unproven.add(peer)
    peer.onClosed = () => this.#unproven.delete(peer)
    peer.link.sendHello({ time: Date.now(), challenge, relayId: this.#options.relayId })
    return peer
  }

  close(): void {
    this.#stop()
  }

  async #prove(peer: Peer, hello: Hello, challenge: string): Promise<void> {
    const proof = hello.machine
    const machine = proof === undefined ? undefined : await this.#options.store.machines.get(proof.machineId)
    if (proof === undefined || machine === undefined || !(await this.#isProven(proof, machine, challenge))) {
      throw new CmdopError(
        'auth',
        'The relay does not know this machine or its key; enrol it again: cmdop machine enroll.',
      )
    }
    await this.#assertEnabled(machine)
    if (machine.quarantinedAt !== null) throw quarantined(machine)
    // What it ran for another fleet ends before it comes as a machine of this one.
    if ((hello.fleetId ?? machine.homeFleetId) !== machine.fleetId) throw movedTo(machine.fleetId)
    await this.#options.store.machines.update(machine.id, { ...described(proof, hello), ...connectedNow(machine) })
    await this.#options.store.machines.seen([machine.id], new Date().toISOString())
    const before = this.#admissions.get(machine.id) ?? Promise.resolve()
    const admitted = before.then(() => this.#admit(peer, machine, proof.instanceId))
    const settled = admitted.catch(() => {})
    this.#admissions.set(machine.id, settled)
    await admitted.finally(() => {
      if (this.#admissions.get(machine.id) === settled) this.#admissions.delete(machine.id)
    })
  }

  /** A daemon that is alive is not put out by another start of itself: then there are two with one key. */
  async #admit(peer: Peer, { id: machineId, fleetId }: MachineRow, machineInstance: string): Promise<void> {
    const machine = await this.#options.store.machines.get(machineId)
    if (machine === undefined || peer.link.isClosed) return
    await this.#assertEnabled(machine)
    if (machine.quarantinedAt !== null) throw quarantined(machine)
    if (machine.fleetId !== fleetId) throw movedTo(machine.fleetId)
    const old = this.#options.router.local.get(machineId)
    if (old !== undefined && this.#instances.get(old) !== machineInstance && (await isAlive(old))) {
      await this.#quarantine(machine)
      throw quarantined(machine)
    }
    if (peer.link.isClosed) return
    this.#letGo(machineId, 'The machine connected again.')
    await this.#own(peer, machine, machineInstance)
  }

  /** Another relay has a connection of a machine that is connected here. */
  async #contest(machineId: string, machineInstance: string): Promise<void> {
    const { router, store } = this.#options
    const old = router.local.get(machineId)
    if (old === undefined) return
    if (this.#instances.get(old) !== machineInstance && (await isAlive(old))) {
      const machine = await store.machines.get(machineId)
      if (machine !== undefined) await this.#quarantine(machine)
    } else if (router.local.get(machineId) === old) this.#letGo(machineId, 'The machine connected to another relay.')
  }

  /** Nothing runs there any more until somebody releases it: neither on this relay nor on another. */
  async #quarantine({ id: machineId, fleetId, name }: MachineRow): Promise<void> {
    const { store, bus, audit } = this.#options
    const at = new Date().toISOString()
    if (await store.machines.quarantine(machineId, at)) {
      this.#options.changed({ machineId, change: 'quarantined', reason: 'Two daemons used its key at once.' })
      const entry = { fleetId, principalId: machineId, principalKind: 'machine' as const, principalName: name }
      await audit.deny({ ...entry, action: 'machine.quarantine', machineId, code: 'quarantined' })
    }
    await bus.publish({ type: 'machine-quarantined', machineId })
  }

  async #assertEnabled(machine: MachineRow): Promise<void> {
    const fleet = machine.disabledAt === null ? await this.#options.store.fleets.get(machine.fleetId) : undefined
    if (fleet === undefined || fleet.disabledAt !== null) throw disabled()
  }

  /** A row that changed holds for calls from now on; a machine that may not be connected, or not as one of its fleet, is let go. */
  async #lookAgain(machineId: string): Promise<void> {
    const { router, store } = this.#options
    const peer = router.local.get(machineId)
    const before = router.row(machineId)
    if (peer === undefined) return
    try {
      const machine = await store.machines.get(machineId)
      const fleet = machine && (await store.fleets.get(machine.fleetId))
      if (machine === undefined || machine.disabledAt !== null || fleet?.disabledAt !== null)
        this.#end(machineId, peer, disabled())
      else if (machine.fleetId !== before?.fleetId) this.#end(machineId, peer, movedTo(machine.fleetId))
      else router.replaceRow(machine, peer)
    } catch (cause) {
      // What it may do now is not known; it connects again, and is looked up then.
      peer.link.close(new CmdopError('unavailable', 'The relay could not read the row of this machine.'))
      this.#options.failed(cause)
    }
  }

  #closeFleet(fleetId: string): void {
    for (const [machineId, peer] of Array.from(this.#options.router.local))
      if (this.#options.router.row(machineId)?.fleetId === fleetId) this.#end(machineId, peer, disabled())
  }

  /** What runs there is cancelled first: a daemon holds what merely lost its connection for whoever comes back. */
  #end(machineId: string, peer: Peer, why: CmdopError): void {
    const there = new CmdopError('cancelled', `What ran here was ended: ${why.message}`)
    const here = new CmdopError(
      'cancelled',
      'The machine was disabled, or is in another fleet now; what ran there was ended.',
    )
    this.#options.router.detach(machineId, peer)
    peer.endSomeRoutes({ here, there }, () => true)
    peer.link.close(why)
  }

  #closeQuarantined(machineId: string): void {
    const machine = this.#options.router.row(machineId)
    this.#options.router.local.get(machineId)?.link.close(quarantined(machine ?? { id: machineId, name: machineId }))
  }

  async #isProven(proof: MachineProof, machine: MachineRow, challenge: string): Promise<boolean> {
    const { machineId, instanceId, signature } = proof
    const text = machineProofText({ relayId: this.#options.relayId, challenge, machineId, instanceId })
    return isSignedBy(this.#options.store, machine, { text, signature })
  }

  async #own(peer: Peer, machine: MachineRow, machineInstance: string): Promise<void> {
    const machineId = machine.id
    const { bus, router, relayInstance } = this.#options
    this.#unproven.delete(peer)
    router.attach(machine, peer)
    this.#instances.set(peer, machineInstance)
    peer.onClosed = (error) => {
      router.detach(machineId, peer)
      this.#options.changed({ machineId, change: 'disconnected', reason: error.message })
      bus.release(machineId, { relayInstance, machineInstance }).catch((cause: unknown) => this.#options.failed(cause))
    }
    await bus.claim(machineId, { relayInstance, machineInstance, heardAt: Date.now() })
    this.#options.changed({ machineId, change: 'connected' })
    // What was said of it before it was attached has been heard by nobody here.
    await this.#lookAgain(machineId)
  }

  #letGo(machineId: string, reason: string): void {
    const old = this.#options.router.local.get(machineId)
    if (old === undefined) return
    this.#options.router.detach(machineId, old)
    this.#options.changed({ machineId, change: 'replaced', reason })
    old.onClosed = undefined
    old.link.close(new CmdopError('conflict', reason))
  }
}

/** Whether the daemon at the other end answers. */
async function isAlive({ link }: Peer): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ALIVE_WITHIN_MS)
  try {
    return await Promise.race([link.ping(), late])
  } finally {
    clearTimeout(timer)
  }
}

function disabled(): CmdopError {
  return new CmdopError(
    'disabled',
    'This machine is disabled at the relay; an admin can enable it: cmdop machines enable.',
  )
}

function described(proof: MachineProof, { description }: Hello): Parameters<Store['machines']['update']>[1] {
  const { hostname, os, architecture, agentVersion, labels = {} } = proof
  const said = { hostname, os, architecture, agentVersion, reportedLabels: JSON.stringify(labels) }
  return { ...said, description: description === undefined ? null : JSON.stringify(description) }
}

function connectedNow({ connects }: MachineRow): Pick<MachineRow, 'connectedAt' | 'connects'> {
  const now = Date.now()
  return { connectedAt: new Date(now).toISOString(), connects: countConnect(connects, now) }
}
