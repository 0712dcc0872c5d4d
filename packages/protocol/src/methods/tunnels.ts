import { z } from 'zod'
import { IpRange } from '../rest-identity.ts'
import { DEFAULT_ORPHAN_MS } from './exec.ts'

/** The lane of `tunnel.connect` and `tunnel.attach`: bytes of the connection, both ways. */
export const TUNNEL_LANE = 1

/** Milliseconds without a byte either way after which a connection is ended, unless chosen: two hours, as TCP's own. */
export const DEFAULT_TUNNEL_IDLE_MS = 7_200_000

/** Milliseconds for which a machine waits for the word of a client that wants to connect soon, see `held`. */
export const TUNNEL_HELD_MS = 15_000

/** Milliseconds that it may be silent at most. */
export const MAX_TUNNEL_IDLE_MS = 86_400_000

/** Milliseconds a connection may be kept without its client at most. */
export const MAX_TUNNEL_ORPHAN_MS = 300_000

/** Ranges that a relay denies to tunnels at most: they go with every connection. */
export const MAX_DENIED_RANGES = 256

/** A host as the machine resolves it: a name, or an address of IPv4 or IPv6 without brackets. */
export const TunnelHost = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9_.:-]+$/, 'Expected a host name or an address.')

/** A port of TCP. */
export const TunnelPort = z.number().int().min(1).max(65_535)

/** What the machine says to the target before the first byte: TLS, so that who connects sees what is within. */
export const TunnelTls = z.strictObject({
  /** Name that the certificate of the target must have. Default: the host. */
  serverName: TunnelHost.optional(),
  /** Takes any certificate: for targets on the machine itself that have one of their own making. */
  insecure: z.boolean().default(false),
})
export type TunnelTls = z.infer<typeof TunnelTls>

/**
 * Parameters of `tunnel.connect`: the machine connects to this port, accepts the channel once it is connected, and from then on
 * both sides send what they read on {@link TUNNEL_LANE}. Beside it they say how far they are, see {@link TunnelMessage}. The call id
 * names the connection for `tunnel.attach`.
 */
export const TunnelConnectParams = z.strictObject({
  /** The tunnel that it belongs to, whose host and port these must be; absent for a forward of the caller's own. */
  tunnelId: z.string().min(1).max(64).optional(),
  /**
   * Connections of that tunnel that the machine has at once at most, whichever relay they come through, and those whose client is lost
   * included: set by the relay.
   */
  maxConnections: z.number().int().min(1).optional(),
  /** Where the machine connects to, as seen from there. */
  host: TunnelHost.default('127.0.0.1'),
  /** The port there. */
  port: TunnelPort,
  /** TLS from the machine to the target; absent: none. */
  tls: TunnelTls.optional(),
  /**
   * Addresses (CIDR) that it must not reach, beside those that the machine refuses: set by the relay, which cannot see what a name resolves to
   * there.
   */
  denied: z.array(IpRange).max(MAX_DENIED_RANGES).optional(),
  /**
   * The client wants to connect soon: the machine accepts the channel at once, and connects when it says `go`, within
   * {@link TUNNEL_HELD_MS}. The client may send what follows right behind it.
   */
  held: z.boolean().optional(),
  /** Milliseconds without a byte either way, after which it is ended. */
  idleMs: z.number().int().min(1000).max(MAX_TUNNEL_IDLE_MS).default(DEFAULT_TUNNEL_IDLE_MS),
  /** Milliseconds for which the machine keeps it when its client is lost. */
  orphanMs: z.number().int().min(0).max(MAX_TUNNEL_ORPHAN_MS).default(DEFAULT_ORPHAN_MS),
})
export type TunnelConnectParams = z.infer<typeof TunnelConnectParams>

/** Parameters of `tunnel.attach`: go on with the connection that the call id names, after its channel was lost. */
export const TunnelAttachParams = z.strictObject({
  /** That of its `tunnel.connect`. */
  tunnelId: z.string().min(1).max(64).optional(),
  /** Bytes from the target that the client already has. */
  offset: z.number().int().min(0),
})
export type TunnelAttachParams = z.infer<typeof TunnelAttachParams>

/** A number of bytes since the connection began. */
const position = z.number().int().min(0)

/** What the two ends of a tunnel connection tell each other as control messages. */
export const TunnelMessage = z.discriminatedUnion('type', [
  /** From the machine, first on every channel: how much of what the client sent it has; the client goes on from there. */
  z.object({ type: z.literal('connected'), received: position }),
  /** From the client, of what is held: connect now. */
  z.object({ type: z.literal('go') }),
  /** So much has arrived: what is before it need not be kept. */
  z.object({ type: z.literal('ack'), received: position }),
  /** This side sends nothing after so many bytes. The other direction goes on. */
  z.object({ type: z.literal('end'), bytes: position }),
])
export type TunnelMessage = z.infer<typeof TunnelMessage>
