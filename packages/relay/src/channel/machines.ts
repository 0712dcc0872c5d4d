import { createPublicKey, randomBytes, verify } from 'node:crypto'
import { CmdopError, type Hello, type MachineProof, machineProofText, type Transport } from '@cmdop/protocol'
import type { Bus } from '../bus/bus.ts'
import type { MachineRow, Store } from '../store/store.ts'
import { Peer } from './peer.ts'
import type { Router } from './router.ts'

export interface MachinePeersOptions {
  readonly relayId: string
  readonly relayInstance: string
  readonly store: Store
  readonly bus: Bus
  readonly router: Router
  /** A machine came or went; for the log. */
  changed(event: { machineId: string; change: 'connected' | 'disconnected' | 'replaced'; reason?: string }): void
  /** What belongs to a disconnect could not be told to the bus. */
  failed(error: unknown): void
}

/** Takes connections of machines: challenge, proof, ownership. */
export class MachinePeers {
  readonly #options: MachinePeersOptions
  readonly #stop: () => void
  readonly #unproven = new Set<Peer>()

  constructor(options: MachinePeersOptions) {
    this.#options = options
    this.#stop = options.bus.subscribe((message) => {
      if (message.type === 'machine-claimed' && message.owner.relayInstance !== options.relayInstance) {
        this.#letGo(message.machineId, 'The machine connected to another relay.')
      }
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
    if (
      proof === undefined ||
      machine === undefined ||
      !isProven(proof, machine, { relayId: this.#options.relayId, challenge })
    ) {
      throw new CmdopError(
        'auth',
        'The relay does not know this machine or its key; enrol it again: cmdop machine enroll.',
      )
    }
    if (machine.disabledAt !== null) throw new CmdopError('auth', 'This machine is disabled at the relay.')
    await this.#options.store.machines.update(machine.id, described(proof))
    await this.#options.store.machines.seen([machine.id], new Date().toISOString())
    if (peer.link.isClosed) return
    this.#letGo(machine.id, 'The machine connected again.')
    await this.#own(peer, machine, proof.instanceId)
  }

  async #own(peer: Peer, machine: MachineRow, machineInstance: string): Promise<void> {
    const machineId = machine.id
    const { bus, router, relayInstance } = this.#options
    this.#unproven.delete(peer)
    router.attach(machine, peer)
    peer.onClosed = (error) => {
      router.detach(machineId, peer)
      this.#options.changed({ machineId, change: 'disconnected', reason: error.message })
      bus.release(machineId, { relayInstance, machineInstance }).catch((cause: unknown) => this.#options.failed(cause))
    }
    await bus.claim(machineId, { relayInstance, machineInstance, heardAt: Date.now() })
    this.#options.changed({ machineId, change: 'connected' })
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

function isProven(
  proof: MachineProof,
  machine: MachineRow,
  challenge: { relayId: string; challenge: string },
): boolean {
  const text = machineProofText({ ...challenge, machineId: proof.machineId, instanceId: proof.instanceId })
  return verify(null, Buffer.from(text), createPublicKey(machine.publicKey), Buffer.from(proof.signature, 'base64url'))
}

function described(proof: MachineProof): Parameters<Store['machines']['update']>[1] {
  const { hostname, os, architecture, agentVersion } = proof
  return { hostname, os, architecture, agentVersion }
}
