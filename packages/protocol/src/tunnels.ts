import { z } from 'zod'
import { TunnelHost, TunnelPort } from './methods/tunnels.ts'
import { IpRange } from './rest-identity.ts'

const instant = z.iso.datetime()

/** Open tunnels of a fleet at most. */
export const MAX_TUNNELS = 1000

/** Seconds a tunnel is open unless chosen, and at most. */
export const DEFAULT_TUNNEL_SECONDS = 86_400
export const MAX_TUNNEL_SECONDS = 30 * 86_400

/** Connections at once through one tunnel unless chosen, and at most: a machine has 1,024 channels. */
export const DEFAULT_TUNNEL_CONNECTIONS = 100
export const MAX_TUNNEL_CONNECTIONS = 1000

/** Characters of a password that somebody chose at least. */
export const MIN_TUNNEL_PASSWORD = 12

/** What a tunnel carries. `http` and `https` (to a target that speaks TLS) have a public address where the relay has a domain for them. */
export const TunnelProtocol = z.enum(['http', 'https', 'tcp'])
export type TunnelProtocol = z.infer<typeof TunnelProtocol>

/** What a visitor of the public address shows. `none` is anybody. */
export const TunnelAuth = z.enum(['none', 'bearer', 'basic'])
export type TunnelAuth = z.infer<typeof TunnelAuth>

/** A label of a domain name. */
export const Subdomain = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'Expected lower-case letters, digits and "-", 63 at most.')

/** A flag as JSON, or as the text that a map of strings has. */
const Flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])

const Ranges = z.union([
  z.array(IpRange).max(100),
  z
    .string()
    .max(4096)
    .transform((text) => text.split(',').map((range) => range.trim()))
    .pipe(z.array(IpRange).max(100)),
])

/** What `POST /api/tunnels` takes beside where the tunnel leads. Values may be text, for clients whose options are a map of strings. */
export const TunnelOptions = z.strictObject({
  /** Seconds until it is closed; 1 to 2,592,000. */
  ttl_seconds: z.coerce.number().int().min(1).max(MAX_TUNNEL_SECONDS).default(DEFAULT_TUNNEL_SECONDS),
  /** Addresses (CIDR) that connections and visits may come from; a list, or text with commas. Absent: any. */
  allowed_peers: Ranges.optional(),
  /** What visitors of the public address show: `bearer` unless chosen, `none` only when it is asked for. */
  auth: TunnelAuth.optional(),
  /** Of `basic`: the name. */
  username: z
    .string()
    .regex(/^[^:\p{C}]{1,64}$/u, 'Expected 64 characters at most, without ":".')
    .default('cmdop'),
  /** Of `basic`: the password. Absent: one is made, and shown once. */
  password: z.string().min(MIN_TUNNEL_PASSWORD).max(128).optional(),
  /** Connections at once. */
  max_connections: z.coerce.number().int().min(1).max(MAX_TUNNEL_CONNECTIONS).default(DEFAULT_TUNNEL_CONNECTIONS),
  /** Bytes that it carries in all, both ways; then it is closed. Absent: no limit. */
  max_bytes: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
  /** Seconds without a byte after which a connection is ended. */
  idle_seconds: z.coerce.number().int().min(1).max(86_400).default(7200),
  /** Of `https`: the name that the certificate of the target must have. Absent: `local_host`. */
  tls_server_name: TunnelHost.optional(),
  /** Of `https`: takes any certificate of the target. */
  insecure_tls: Flag.default(false),
})
export type TunnelOptions = z.input<typeof TunnelOptions>

/** Body of `POST /api/tunnels`. */
export const TunnelOpen = z.strictObject({
  /** The machine: its id, name or unique prefix. */
  machine_id: z.string().min(1).max(255).optional(),
  /** The same, by the name that the field has on the wire of the existing product. */
  session_id: z.string().min(1).max(255).optional(),
  /** The port that it leads to. */
  local_port: TunnelPort,
  /** `http`, `https` or `tcp`. `udp` is refused by name. */
  protocol: z.string().min(1).max(16).default('http'),
  /** Where the port is, as seen from the machine. */
  local_host: TunnelHost.default('127.0.0.1'),
  /** Label of its public address; absent: one is made. Not of a `tcp` tunnel. */
  subdomain: Subdomain.optional(),
  /** Limits, and who may come. */
  options: TunnelOptions.prefault({}),
})
export type TunnelOpen = z.input<typeof TunnelOpen>

/** A tunnel. */
export const TunnelView = z.object({
  /** `tun_...`. */
  tunnel_id: z.string(),
  /** The fleet that it is of. */
  fleet_id: z.string(),
  /** The machine that it leads to; the name of the existing product for `machine_id`. */
  session_id: z.string(),
  /** The machine that it leads to. It stays open when that connects again. */
  machine_id: z.string(),
  /** Label of its public address; null where it has none. */
  subdomain: z.string().nullable(),
  /** Where the port is, as seen from the machine. */
  local_host: z.string(),
  /** The port. */
  local_port: z.number().int(),
  /** What it carries. */
  protocol: TunnelProtocol,
  /** Address of the web where it is reached; null for `tcp`, and where the relay has no domain for tunnels. */
  public_url: z.string().nullable(),
  /** `closed`: also when it has expired. */
  state: z.enum(['active', 'closed']),
  /** Why it is closed: `asked`, `expired`, `bytes` (all that it may carry), or `right` (who opened it may not any more). */
  closed_reason: z.enum(['asked', 'expired', 'bytes', 'right']).nullable(),
  /** What visitors of the public address show. */
  auth: TunnelAuth,
  /** Addresses (CIDR) that connections and visits may come from; null: any. */
  allowed_peers: z.array(z.string()).nullable(),
  /** Connections at once. */
  max_connections: z.number().int(),
  /** Bytes that it carries in all; null: no limit. */
  max_bytes: z.number().int().nullable(),
  /** Bytes so far, both ways; a connection that is open is counted from time to time. */
  bytes: z.number().int(),
  /** Connections so far that have carried something. */
  connections: z.number().int(),
  /** Seconds without a byte after which a connection is ended. */
  idle_seconds: z.number().int(),
  /** Of `https`: the name that the certificate of the target must have; null: `local_host`. */
  tls_server_name: z.string().nullable(),
  /** Of `https`: whether any certificate of the target is taken. */
  insecure_tls: z.boolean(),
  /** Principal that opened it, with whose right it works. */
  created_by: z.string(),
  created_at: instant,
  expires_at: instant,
  closed_at: instant.nullable(),
})
export type TunnelView = z.infer<typeof TunnelView>

/** A new tunnel, with what its visitors show: it is shown once. */
export const TunnelOpened = TunnelView.extend({
  /** Of `bearer`: the token. */
  token: z.string().nullable(),
  /** Of `basic`: the name. */
  username: z.string().nullable(),
  /** Of `basic`: the password, where the relay has made it. */
  password: z.string().nullable(),
})
export type TunnelOpened = z.infer<typeof TunnelOpened>

export const TunnelList = z.object({
  items: z.array(TunnelView),
  offset: z.number().int(),
  per_page: z.number().int(),
  total: z.number().int(),
})
export type TunnelList = z.infer<typeof TunnelList>

/** A machine that is connected, as one to open a tunnel to. */
export const ConnectedSessionOption = z.object({
  /** The machine; what `session_id` of a new tunnel takes. */
  session_id: z.string(),
  /** The machine. */
  machine_id: z.string(),
  hostname: z.string(),
  /** Name of the machine. */
  label: z.string(),
  /** Its presence. */
  status: z.enum(['online', 'suspect', 'offline']),
})
export type ConnectedSessionOption = z.infer<typeof ConnectedSessionOption>

/** Machines that are connected, the first 500 by name. */
export const ConnectedSessionList = z.object({ items: z.array(ConnectedSessionOption) })
