import { z } from 'zod'
import { TunnelHost, TunnelPort } from './methods/tunnels.ts'
import { IpRange, OffsetQuery } from './rest-identity.ts'

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
  ttl_seconds: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_TUNNEL_SECONDS)
    .default(DEFAULT_TUNNEL_SECONDS)
    .describe('Seconds until it is closed; 1 to 2,592,000'),
  allowed_peers: Ranges.optional().describe(
    'Addresses (CIDR) that connections and visits may come from; a list, or text with commas. Absent: any.',
  ),
  auth: TunnelAuth.optional().describe(
    'What visitors of the public address show: `bearer` unless chosen, `none` only when it is asked for',
  ),
  username: z
    .string()
    .regex(/^[^:\p{C}]{1,64}$/u, 'Expected 64 characters at most, without ":".')
    .default('cmdop')
    .describe('Of `basic`: the name that visitors give'),
  password: z
    .string()
    .min(MIN_TUNNEL_PASSWORD)
    .max(128)
    .optional()
    .describe('Of `basic`: the password. Absent: one is made, and shown once.'),
  max_connections: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_TUNNEL_CONNECTIONS)
    .default(DEFAULT_TUNNEL_CONNECTIONS)
    .describe('Connections at once, at most'),
  max_bytes: z.coerce
    .number()
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Bytes that it carries in all, both ways; then it is closed. Absent: no limit.'),
  idle_seconds: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(7200)
    .describe('Seconds without a byte after which a connection is ended'),
  tls_server_name: TunnelHost.optional().describe(
    'Of `https`: the name that the certificate of the target must have. Absent: `local_host`.',
  ),
  insecure_tls: Flag.default(false).describe('Of `https`: takes any certificate of the target'),
})
export type TunnelOptions = z.input<typeof TunnelOptions>

/** Body of `POST /api/tunnels`. */
export const TunnelOpen = z.strictObject({
  machine_id: z.string().min(1).max(255).optional().describe('The machine: its id, name or unique prefix'),
  session_id: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('The same, by the name that the field has on the wire of the existing product'),
  local_port: TunnelPort.describe('The port that it leads to'),
  protocol: z.string().min(1).max(16).default('http').describe('`http`, `https` or `tcp`. `udp` is refused by name.'),
  local_host: TunnelHost.default('127.0.0.1').describe('Where the port is, as seen from the machine'),
  subdomain: Subdomain.optional().describe('Label of its public address; absent: one is made. Not of a `tcp` tunnel.'),
  options: TunnelOptions.prefault({}).describe('Limits, and who may come'),
})
export type TunnelOpen = z.input<typeof TunnelOpen>

/** A tunnel. */
export const TunnelView = z.object({
  tunnel_id: z.string().describe('Id of the tunnel: `tun_...`'),
  fleet_id: z.string().describe('Id of the fleet that it is of'),
  session_id: z
    .string()
    .describe('Id of the machine that it leads to; the name of the existing product for `machine_id`'),
  machine_id: z.string().describe('Id of the machine that it leads to. It stays open when that connects again.'),
  subdomain: z.string().nullable().describe('Label of its public address; null where it has none'),
  local_host: z.string().describe('Where the port is, as seen from the machine'),
  local_port: z.number().int().describe('The port that it leads to'),
  protocol: TunnelProtocol.describe('What it carries'),
  public_url: z
    .string()
    .nullable()
    .describe('Address of the web where it is reached; null for `tcp`, and where the relay has no domain for tunnels'),
  state: z.enum(['active', 'closed']).describe('Whether it is open; `closed`: also when it has expired'),
  closed_reason: z
    .enum(['asked', 'expired', 'bytes', 'right'])
    .nullable()
    .describe(
      'Why it is closed: `asked`, `expired`, `bytes` (all that it may carry), or `right` (who opened it may not any more)',
    ),
  auth: TunnelAuth.describe('What visitors of the public address show'),
  allowed_peers: z
    .array(z.string())
    .nullable()
    .describe('Addresses (CIDR) that connections and visits may come from; null: any'),
  max_connections: z.number().int().describe('Connections at once, at most'),
  max_bytes: z.number().int().nullable().describe('Bytes that it carries in all; null: no limit'),
  bytes: z.number().int().describe('Bytes so far, both ways; a connection that is open is counted from time to time'),
  connections: z.number().int().describe('Connections so far that have carried something'),
  idle_seconds: z.number().int().describe('Seconds without a byte after which a connection is ended'),
  tls_server_name: z
    .string()
    .nullable()
    .describe('Of `https`: the name that the certificate of the target must have; null: `local_host`'),
  insecure_tls: z.boolean().describe('Of `https`: whether any certificate of the target is taken'),
  created_by: z.string().describe('Id of the principal that opened it, with whose right it works'),
  created_at: instant.describe('When it was opened'),
  expires_at: instant.describe('When it is closed by itself'),
  closed_at: instant.nullable().describe('When it was closed; null: it is open'),
})
export type TunnelView = z.infer<typeof TunnelView>

/** A new tunnel, with what its visitors show: it is shown once. */
export const TunnelOpened = TunnelView.extend({
  token: z.string().nullable().describe('Of `bearer`: the token; shown here and never again'),
  username: z.string().nullable().describe('Of `basic`: the name'),
  password: z
    .string()
    .nullable()
    .describe('Of `basic`: the password, where the relay has made it; shown here and never again'),
})
export type TunnelOpened = z.infer<typeof TunnelOpened>

export const TunnelList = z.object({
  items: z.array(TunnelView).describe('Tunnels, the newest first'),
  offset: z.number().int().describe('Items before these'),
  per_page: z.number().int().describe('Items in one page at most'),
  total: z.number().int().describe('Items in all pages'),
})
export type TunnelList = z.infer<typeof TunnelList>

/** A machine that is connected, as one to open a tunnel to. */
export const ConnectedSessionOption = z.object({
  session_id: z.string().describe('Id of the machine; what `session_id` of a new tunnel takes'),
  machine_id: z.string().describe('Id of the machine'),
  hostname: z.string().describe('Host name of the machine'),
  label: z.string().describe('What people call the machine'),
  status: z.enum(['online', 'suspect', 'offline']).describe('Life sign of the machine by its age'),
})
export type ConnectedSessionOption = z.infer<typeof ConnectedSessionOption>

/** Which of the machines that are connected. */
export const ConnectedSessionQuery = OffsetQuery.extend({
  per_page: z.coerce.number().int().min(1).max(500).default(500).describe('Items in one page at most'),
})
export type ConnectedSessionQuery = z.infer<typeof ConnectedSessionQuery>

/** Machines that are connected. */
export const ConnectedSessionList = z.object({
  items: z.array(ConnectedSessionOption).describe('Machines that are connected, in order of their names'),
  offset: z.number().int().describe('Items before these'),
  per_page: z.number().int().describe('Items in one page at most'),
  total: z.number().int().describe('Items in all pages'),
})
export type ConnectedSessionList = z.infer<typeof ConnectedSessionList>
