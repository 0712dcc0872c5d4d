import type { TunnelAuth, TunnelProtocol, TunnelView } from '@cmdop/protocol'

/** Why a tunnel is closed. */
export type TunnelEnd = NonNullable<TunnelView['closed_reason']>

/** A tunnel to a port of a machine. It belongs to the machine, and not to a connection of it. */
export interface TunnelRow {
  readonly id: string
  readonly fleetId: string
  readonly machineId: string
  /** Principal and key with whose right it works. */
  readonly createdById: string
  readonly createdByKeyId: string
  readonly protocol: TunnelProtocol
  readonly localHost: string
  readonly localPort: number
  /** Of all open tunnels of all fleets one has it. */
  readonly subdomain: string | null
  readonly auth: TunnelAuth
  /** Of a token its SHA-256, of name and password salt and scrypt. */
  readonly authHash: string | null
  /** CIDR. */
  readonly allowedPeers: readonly string[] | null
  readonly maxConnections: number
  readonly maxBytes: number | null
  readonly idleSeconds: number
  readonly tlsServerName: string | null
  readonly insecureTls: boolean
  readonly bytes: number
  readonly connections: number
  readonly createdAt: string
  readonly expiresAt: string
  readonly closedAt: string | null
  readonly closedReason: TunnelEnd | null
}

/** The tunnels of all fleets. */
export interface TunnelStore {
  /** Adds one. `conflict` when an open one has its subdomain. */
  create(tunnel: TunnelRow): Promise<void>
  get(tunnelId: string): Promise<TunnelRow | undefined>
  /** The open one that has it. */
  bySubdomain(subdomain: string): Promise<TunnelRow | undefined>
  /** Open ones of a fleet, the newest first, then by id. Where machines are given, only of those. */
  list(
    fleetId: string,
    page: { offset: number; limit: number; machineIds?: readonly string[] },
  ): Promise<{ items: TunnelRow[]; total: number }>
  /** Open ones of all fleets whose time is over, the first first. */
  expired(now: string, limit: number): Promise<TunnelRow[]>
  /** Keys with whose right open tunnels work. */
  openKeys(): Promise<string[]>
  /** Open ones that work with the right of this key. */
  ofKey(keyId: string): Promise<TunnelRow[]>
  /** True for the one call that closed it. */
  close(tunnelId: string, at: string, reason: TunnelEnd): Promise<boolean>
  /** Counts what went through; the answer is all that did. */
  count(tunnelId: string, more: { bytes: number; connections: number }): Promise<number>
  /** Forgets those that were closed before. */
  prune(before: string): Promise<void>
}
