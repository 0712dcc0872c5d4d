import { CmdopError, type Open } from '@cmdop/protocol'
import { z } from 'zod'
import { addressList, isAddressIn } from '../auth/addresses.ts'
import { type Caller, refreshCaller } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import type { Meter } from '../channel/input-meter.ts'
import { resetRoute, type RouteEnd } from '../channel/route.ts'
import type { Store } from '../store/store.ts'
import type { TunnelEnd, TunnelRow } from '../store/tunnel-store.ts'
import { assertTargetAllowed } from './target-rule.ts'
import { TunnelAccount } from './tunnel-account.ts'

/** What the relay looks at of the parameters; the machine judges them whole. */
const Params = z.object({
  tunnelId: z.string().max(64).optional(),
  host: z.string().default('127.0.0.1'),
  port: z.number().optional(),
})

export interface TunnelGateOptions {
  readonly store: Store
  /** Addresses (CIDR) that no tunnel leads to, beside those that none ever does. */
  readonly denied: readonly string[]
  /** Closes it, with a row and for every relay. */
  readonly close: (tunnel: TunnelRow, reason: TunnelEnd) => Promise<void>
  readonly failed: (error: unknown, tunnelId: string) => void
}

/** Whether a call carries a connection of a tunnel. */
export function isTunnelMethod(method: string): boolean {
  return method === 'tunnel.connect' || method === 'tunnel.attach'
}

/** What the row of a connection says of it: its tunnel, where it leads, and where it comes from. */
export function tunnelSubject({ address }: Caller, { method, params }: Open): string {
  const { tunnelId, host, port } = Params.safeParse(params).data ?? {}
  const tunnel = tunnelId === undefined ? [] : [`tunnel:${tunnelId}`]
  const target = method === 'tunnel.connect' && port !== undefined ? [`to ${host}:${port}`] : []
  const from = address === undefined ? [] : [`from ${address}`]
  return [...tunnel, ...target, ...from].join(' ').slice(0, 400)
}

/** What holds for the connections of tunnels, beside what holds for every call: asked by the gate about each of them. */
export class TunnelGate {
  readonly #options: TunnelGateOptions
  readonly #denied: ReturnType<typeof addressList>
  readonly #accounts = new Map<string, TunnelAccount>()

  constructor(options: TunnelGateOptions) {
    this.#options = options
    this.#denied = addressList(options.denied)
  }

  /**
   * A connection as it goes to the machine: with what this relay denies, and how many its tunnel may have, whatever the client says of that.
   * Every other call as it is.
   */
  async completed(open: Open): Promise<Open> {
    if (open.method !== 'tunnel.connect') return open
    const { denied } = this.#options
    const maxConnections = await this.#maxConnections(tunnelOf(open))
    const rules = {
      ...(denied.length === 0 ? {} : { denied: [...denied] }),
      ...(maxConnections === undefined ? {} : { maxConnections }),
    }
    return { ...open, params: { ...open.params, ...rules } }
  }

  /** Never changes while a tunnel is open. Undefined without a tunnel, and for one that is not there: that is refused later. */
  async #maxConnections(tunnelId: string | undefined): Promise<number | undefined> {
    if (tunnelId === undefined) return undefined
    const known = this.#accounts.get(tunnelId)?.maxConnections
    return known ?? (await this.#options.store.tunnels.get(tunnelId))?.maxConnections
  }

  /**
   * Throws where the tunnel that a connection names is not open, leads elsewhere, is not for who comes, or has no room; and where who opened
   * it may not any more, which closes it.
   */
  async admit(caller: Caller, open: Open): Promise<void> {
    const tunnelId = tunnelOf(open)
    if (open.method === 'tunnel.connect') assertTargetAllowed(paramsOf(open.params).host, this.#denied)
    if (tunnelId === undefined) return
    const tunnel = await this.#options.store.tunnels.get(tunnelId)
    if (tunnel?.fleetId !== caller.fleetId || tunnel.machineId !== open.target || tunnel.closedAt !== null)
      throw notOpen()
    if (tunnel.expiresAt <= new Date().toISOString()) throw new CmdopError('expired', 'The time of the tunnel is over.')
    assertTarget(tunnel, open)
    assertPeer(tunnel, caller.address)
    await this.assertRight(tunnel)
    const account = this.#accounts.get(tunnelId)
    if (account === undefined) await this.#begin(tunnel)
    else account.refresh(tunnel)
    this.#accounts.get(tunnelId)?.assertRoom(open.method)
  }

  /** Opens the account of a tunnel. Whoever closes it ends the account; one that was closed before there was any is seen here. */
  async #begin(tunnel: TunnelRow): Promise<void> {
    this.#accounts.set(tunnel.id, this.#accountOf(tunnel))
    try {
      const now = await this.#options.store.tunnels.get(tunnel.id)
      if (now?.closedAt !== null) throw notOpen()
    } catch (cause) {
      this.end(tunnel.id)
      throw cause
    }
  }

  /** Throws, and closes the tunnel, when who opened it may not have it any more. */
  async assertRight(tunnel: TunnelRow): Promise<Caller> {
    try {
      const { store } = this.#options
      const { createdByKeyId: id, fleetId } = tunnel
      const opener = await refreshCaller(store, { key: { id }, fleetId })
      const machine = await store.machines.get(tunnel.machineId)
      const present = machine?.disabledAt === null ? machine : undefined
      const target = present && { fleetId: present.fleetId, machine: present }
      const decision = authorise(opener, 'tunnel.open', target)
      if (!decision.allowed) throw new CmdopError('permission', decision.reason)
      return opener
    } catch (cause) {
      if (!(cause instanceof CmdopError) || !['auth', 'permission', 'not_found'].includes(cause.code)) throw cause
      await this.#options.close(tunnel, 'right')
      throw new CmdopError('not_found', 'Who opened the tunnel may not have it any more; it is closed.', { cause })
    }
  }

  /** Counts what a connection carries; undefined for every other call. */
  meterOf(open: Open): Meter | undefined {
    if (!isTunnelMethod(open.method)) return undefined
    const account = this.#accounts.get(tunnelOf(open) ?? '')
    let bytes = 0
    return {
      bothWays: true,
      add: (more) => {
        if (bytes === 0 && open.method === 'tunnel.connect') account?.began()
        bytes += more
        account?.carried(more)
      },
      end: () => ({ bytes, offset: 0 }),
    }
  }

  /** A connection begins; the answer is called at its end. Throws where there is no room any more. */
  enter(open: Open, end: RouteEnd): () => void {
    const tunnelId = isTunnelMethod(open.method) ? tunnelOf(open) : undefined
    const account = this.#accounts.get(tunnelId ?? '')
    if (account === undefined) {
      if (tunnelId !== undefined) throw new CmdopError('not_found', 'The tunnel was closed meanwhile.')
      return () => {}
    }
    return account.enter(open.method, end)
  }

  /** Ends every connection of a tunnel that is closed. */
  end(tunnelId: string): void {
    this.#accounts.get(tunnelId)?.endAll()
    this.#accounts.delete(tunnelId)
  }

  /** Writes what was counted. */
  async flush(): Promise<void> {
    await Promise.all(Array.from(this.#accounts.values(), (account) => account.flush()))
  }

  #accountOf(tunnel: TunnelRow): TunnelAccount {
    const account: TunnelAccount = new TunnelAccount(tunnel, {
      count: (more) => this.#options.store.tunnels.count(tunnel.id, more),
      close: (reason) => this.#options.close(tunnel, reason),
      idle: () => {
        if (this.#accounts.get(tunnel.id) === account) this.#accounts.delete(tunnel.id)
      },
      failed: (error) => this.#options.failed(error, tunnel.id),
      reset: resetRoute,
    })
    return account
  }
}

function tunnelOf({ method, params }: Open): string | undefined {
  return isTunnelMethod(method) ? Params.safeParse(params).data?.tunnelId : undefined
}

function notOpen(): CmdopError {
  return new CmdopError('not_found', 'There is no such open tunnel to this machine in your fleet.')
}

function assertTarget({ localHost, localPort }: TunnelRow, { method, params }: Open): void {
  const { host, port } = paramsOf(params)
  if (method === 'tunnel.attach' || (host === localHost && port === localPort)) return
  throw new CmdopError('validation', `Expected the connection to go where the tunnel leads, ${localHost}:${localPort}.`)
}

/** Throws `permission` for an address from which nobody may come. */
export function assertPeer({ allowedPeers }: TunnelRow, address: string | undefined): void {
  if (allowedPeers === null || (address !== undefined && isAddressIn(address, allowedPeers))) return
  throw new CmdopError('permission', 'The tunnel takes no connections from your address.')
}

function paramsOf(params: Open['params']): z.infer<typeof Params> {
  const parsed = Params.safeParse(params)
  if (!parsed.success)
    throw new CmdopError(
      'validation',
      `The parameters of the connection are not valid: ${z.prettifyError(parsed.error)}`,
    )
  return parsed.data
}
