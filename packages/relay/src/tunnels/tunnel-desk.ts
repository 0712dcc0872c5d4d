import { randomInt } from 'node:crypto'
import { CmdopError, MAX_TUNNELS, TunnelProtocol, type TunnelOpen } from '@cmdop/protocol'
import type { Logger } from 'pino'
import type { z } from 'zod'
import { addressList } from '../auth/addresses.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { systemEntry } from '../audit/entry.ts'
import type { Caller } from '../auth/authenticate.ts'
import { newId } from '../auth/secrets.ts'
import type { Bus } from '../bus/bus.ts'
import type { PolicyDesk } from '../policy/policy-desk.ts'
import type { MachineRow, Store } from '../store/store.ts'
import type { TunnelEnd, TunnelRow } from '../store/tunnel-store.ts'
import { assertTargetAllowed } from './target-rule.ts'
import { createTunnelSecret, type TunnelSecret } from './tunnel-auth.ts'
import { TunnelGate } from './tunnel-gate.ts'

/** How often it is looked for tunnels whose time is over, in milliseconds; their connections end on time by themselves. */
const SWEEP_EVERY_MS = 10_000

/** How often the rights of all openers are looked at that no message is about, such as of keys that expire. */
const RIGHTS_EVERY_MS = 60_000

/** Tunnels that are closed at once at most. */
const SWEEP_BATCH = 100

/** Milliseconds for which closed tunnels can still be looked at. */
const KEEP_CLOSED_MS = 7 * 86_400_000

/** Labels that nobody gets: people would take them for somebody else's. */
const RESERVED = new Set(['www', 'api', 'admin', 'mail', 'relay', 'login', 'auth', 'console', 'cmdop', 'localhost'])

export interface TunnelDeskOptions {
  readonly store: Store
  readonly audit: AuditTrail
  readonly bus: Bus
  readonly log: Logger
  readonly judge: PolicyDesk['judge']
  /** Addresses (CIDR) that no tunnel leads to. */
  readonly denied: readonly string[]
  /** Absent where tunnels have no public addresses. */
  readonly domain: string | undefined
}

/** A tunnel that was just opened, and what its visitors show. */
export interface OpenedTunnel {
  readonly tunnel: TunnelRow
  readonly secret: TunnelSecret
}

/** Opens and closes tunnels, and looks after those that are open. */
export class TunnelDesk implements AsyncDisposable {
  readonly gate: TunnelGate
  readonly #options: TunnelDeskOptions
  readonly #denied: ReturnType<typeof addressList>
  readonly #timer: NodeJS.Timeout
  readonly #stop: () => void
  #looking: Promise<void> | undefined
  #lookAgain = false
  #prunedAt = 0
  #rightsAt = 0
  /** How often somebody has said that rights have changed. */
  #rightsAsked = 0

  constructor(options: TunnelDeskOptions) {
    this.#options = options
    this.#denied = addressList(options.denied)
    this.gate = new TunnelGate({
      store: options.store,
      close: (tunnel, reason) => this.closeItself(tunnel, reason),
      denied: options.denied,
      failed: (err, tunnelId) => options.log.error({ err, tunnelId }, 'a tunnel could not be closed or counted'),
    })
    this.#timer = setInterval(() => this.#look(), SWEEP_EVERY_MS).unref()
    this.#stop = options.bus.subscribe((message) => {
      if (message.type === 'tunnel-closed') this.gate.end(message.tunnelId)
      else if (message.type === 'key-revoked' || message.type === 'principal-changed') {
        this.#rightsAt = 0
        this.#rightsAsked += 1
        this.#look()
      }
    })
    this.#look()
  }

  /** Opens one. Throws `unsupported`, `validation`, `permission`, `policy_denied` and `conflict`. */
  async open(caller: Caller, machine: MachineRow, body: z.output<typeof TunnelOpen>): Promise<OpenedTunnel> {
    const { store, judge } = this.#options
    const { options, local_host: host, local_port: port } = body
    const protocol = protocolOf(body.protocol)
    assertTargetAllowed(host, this.#denied)
    const subdomain = this.#subdomainOf(protocol, body.subdomain)
    const params = { host, port }
    const judgement = await judge(caller.principal.kind, { method: 'tunnel.connect', params }, machine)
    if (judgement.decision === 'deny')
      throw new CmdopError('policy_denied', judgement.reason, { details: { rule: judgement.rule } })
    if ((await store.tunnels.list(caller.fleetId, { offset: 0, limit: 1 })).total >= MAX_TUNNELS)
      throw new CmdopError('conflict', `A fleet has at most ${MAX_TUNNELS} open tunnels; close one first.`)
    const auth = protocol === 'tcp' ? 'none' : (options.auth ?? 'bearer')
    if (protocol === 'tcp' && (options.auth ?? 'none') !== 'none')
      throw new CmdopError(
        'validation',
        'A tcp tunnel is reached with a key of the relay only; it takes no other auth.',
      )
    const secret = await createTunnelSecret(auth, options)
    const now = Date.now()
    const tunnel: TunnelRow = {
      id: newId('tun_'),
      fleetId: caller.fleetId,
      machineId: machine.id,
      createdById: caller.principalId,
      createdByKeyId: caller.key.id,
      protocol,
      localHost: host,
      localPort: port,
      subdomain,
      auth,
      authHash: secret.hash,
      allowedPeers: options.allowed_peers ?? null,
      maxConnections: options.max_connections,
      maxBytes: options.max_bytes ?? null,
      idleSeconds: options.idle_seconds,
      tlsServerName: options.tls_server_name ?? null,
      insecureTls: options.insecure_tls,
      bytes: 0,
      connections: 0,
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + options.ttl_seconds * 1000).toISOString(),
      closedAt: null,
      closedReason: null,
    }
    await store.tunnels.create(tunnel)
    return { tunnel, secret }
  }

  /** Closes it for every relay; false when it was closed before. Its connections end at once. */
  async close({ id }: Pick<TunnelRow, 'id'>, reason: TunnelEnd): Promise<boolean> {
    const { store, bus } = this.#options
    const isClosed = await store.tunnels.close(id, new Date().toISOString(), reason)
    this.gate.end(id)
    if (isClosed) await bus.publish({ type: 'tunnel-closed', tunnelId: id })
    return isClosed
  }

  /** {@link close} that nobody has asked for: with a row of its own. */
  async closeItself(tunnel: TunnelRow, reason: TunnelEnd): Promise<void> {
    const subject = `tunnel:${tunnel.id} ${reason}`
    const entry = { ...systemEntry(tunnel.fleetId, 'tunnel.close', subject), machineId: tunnel.machineId }
    // What has to end does not wait for a row.
    if (await this.close(tunnel, reason)) await this.#options.audit.around(entry, async () => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stop()
    await this.#looking
    await this.gate.flush()
  }

  #subdomainOf(protocol: TunnelProtocol, asked: string | undefined): string | null {
    const { domain } = this.#options
    if (asked !== undefined && protocol === 'tcp')
      throw new CmdopError('validation', 'A tcp tunnel has no public address; leave out the subdomain.')
    if (asked !== undefined && domain === undefined)
      throw new CmdopError(
        'unsupported',
        'This relay has no domain for tunnels, so there are no subdomains; its operator sets one with --tunnel-domain.',
      )
    if (asked !== undefined && RESERVED.has(asked))
      throw new CmdopError('validation', `The subdomain ${asked} is reserved; choose another one.`)
    return protocol === 'tcp' || domain === undefined ? null : (asked ?? randomLabel())
  }

  /** Looks at every tunnel whose time, or whose opener's right, may be over; once more when it is asked meanwhile. */
  #look(): void {
    this.#lookAgain = true
    this.#looking ??= this.#lookAtAll().finally(() => (this.#looking = undefined))
  }

  async #lookAtAll(): Promise<void> {
    const { store, log } = this.#options
    while (this.#lookAgain) {
      this.#lookAgain = false
      try {
        const expired = await store.tunnels.expired(new Date().toISOString(), SWEEP_BATCH)
        for (const tunnel of expired) await this.closeItself(tunnel, 'expired')
        if (expired.length === SWEEP_BATCH) this.#lookAgain = true
        await this.#lookAtRights()
        await this.#prune()
      } catch (err) {
        log.error({ err }, 'open tunnels could not be looked after')
      }
    }
  }

  async #lookAtRights(): Promise<void> {
    if (Date.now() - this.#rightsAt < RIGHTS_EVERY_MS) return
    const startedAt = Date.now()
    const asked = this.#rightsAsked
    const { tunnels } = this.#options.store
    for (const keyId of await tunnels.openKeys())
      for (const tunnel of await tunnels.ofKey(keyId)) await this.#lookAtRight(tunnel)
    // Only once all were looked at, and none is to be looked at again.
    if (asked === this.#rightsAsked) this.#rightsAt = startedAt
  }

  async #lookAtRight(tunnel: TunnelRow): Promise<void> {
    try {
      await this.gate.assertRight(tunnel)
    } catch (error) {
      if (!(error instanceof CmdopError) || error.code !== 'not_found') throw error
    }
  }

  async #prune(): Promise<void> {
    if (Date.now() - this.#prunedAt < 3_600_000) return
    this.#prunedAt = Date.now()
    await this.#options.store.tunnels.prune(new Date(Date.now() - KEEP_CLOSED_MS).toISOString())
  }
}

function protocolOf(asked: string): TunnelProtocol {
  if (asked === 'udp')
    throw new CmdopError('unsupported', 'Tunnels carry no udp; open one of http, https or tcp.', {
      details: { protocol: asked },
    })
  const protocol = TunnelProtocol.safeParse(asked)
  if (!protocol.success) throw new CmdopError('validation', 'Expected protocol to be http, https or tcp.')
  return protocol.data
}

/** Nobody guesses it. */
function randomLabel(): string {
  return Array.from({ length: 20 }, () => 'abcdefghijklmnopqrstuvwxyz0123456789'[randomInt(36)]).join('')
}
