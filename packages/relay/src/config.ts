import { isIP } from 'node:net'
import { CmdopError, IpRange, MAX_DENIED_RANGES } from '@cmdop/protocol'
import { z } from 'zod'

/** Port of a relay unless chosen. */
export const DEFAULT_PORT = 7420

const Name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'Expected letters, digits, ".", "_" and "-", 32 at most.')

const Tls = z.strictObject({ cert: z.string(), key: z.string() })

/** Settings of a relay, checked once. */
export const RelayConfig = z.strictObject({
  /** Folder of the database. */
  dataDir: z.string().min(1),
  /** Of this relay's chains in the audit log. Every relay on one store has another one. */
  name: Name.default('main'),
  /** Names that it had before: what it left open in their chains is settled. No relay that runs may have one of them. */
  formerNames: z.array(Name).default([]),
  /** Address to bind. Only loopback without TLS. */
  host: z.string().default('127.0.0.1'),
  /** 0 = any free one. */
  port: z.number().int().min(0).max(65_535).default(DEFAULT_PORT),
  /** PEM of certificate chain and private key. */
  tls: Tls.optional(),
  /** Binds another address without TLS: only behind a proxy that does it, or in a network you trust wholly. */
  insecurePublic: z.boolean().default(false),
  logLevel: z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  /** Origins of web pages that may connect, beside the relay's own: `https://ops.example`. */
  allowedOrigins: z.array(z.string()).default([]),
  /** Addresses (CIDR) of proxies whose `X-Forwarded-For` says where a request comes from. */
  trustedProxies: z.array(IpRange).default([]),
  /** Mail server for sign-in codes, `smtps://user:password@mail.example`, and the sender of the mails. */
  smtp: z.strictObject({ url: z.url({ protocol: /^smtps?$/ }), from: z.email() }).optional(),
  /** How often one address may try to sign in, or to accept an invitation, in a minute. */
  signInsPerMinute: z.number().int().min(1).max(100_000).default(20),
  /** Where people reach this relay, for links in notifications: `https://ops.example`. Default: the address that it binds. */
  publicUrl: z
    .url({ protocol: /^https?$/, abort: true })
    .refine((url) => ['', '/'].includes(new URL(url).pathname), 'Expected no path behind the host.')
    .transform((url) => new URL(url).origin)
    .optional(),
  /** Domain under which tunnels are reached, `tunnels.example` for `<subdomain>.tunnels.example`. Without it none is public. */
  tunnelDomain: z
    .string()
    .max(180)
    .regex(
      /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
      'Expected a domain in lower case.',
    )
    .optional(),
  /** Addresses (CIDR) to which no tunnel leads, beside the metadata of clouds. */
  tunnelDeny: z.array(IpRange).max(MAX_DENIED_RANGES).default([]),
  webhooks: z
    .strictObject({
      /** Sends notifications over `http` to other hosts too, where anybody on the way can read them. */
      allowInsecure: z.boolean().default(false),
      /** Milliseconds for one try. */
      timeoutMs: z.number().int().min(10).max(60_000).default(10_000),
      /** Milliseconds before the second try; each later wait is twice as long. */
      firstWaitMs: z.number().int().min(10).max(3_600_000).default(5000),
    })
    .prefault({}),
  /** Milliseconds between the signs of life of a stream of events. */
  heartbeatMs: z.number().int().min(10).max(60_000).default(15_000),
  /** Where checkpoints of the audit log are sent: `file:/path`, `https://…`, `syslog:tcp://host:port`. */
  auditSinks: z.array(z.string()).default([]),
  /** Days after which rows of the audit log are removed. Without it they stay. */
  auditRetentionDays: z.number().int().min(1).max(36_500).optional(),
  /** How long a shutdown waits for open channels, in milliseconds. */
  drainMs: z.number().int().min(0).default(5000),
})
export type RelayConfig = z.output<typeof RelayConfig>

/** The settings, complete. Throws `config` with a sentence for each that is wrong. */
export function parseRelayConfig(input: z.input<typeof RelayConfig>): RelayConfig {
  const parsed = RelayConfig.safeParse(input)
  if (!parsed.success)
    throw new CmdopError('config', `The relay's settings are wrong: ${z.prettifyError(parsed.error)}`)
  const config = parsed.data
  if (!isLoopback(config.host) && config.tls === undefined && !config.insecurePublic) {
    throw new CmdopError(
      'config',
      `The relay does not bind ${config.host} without TLS, because keys would travel in the clear. ` +
        'Give a certificate (--tls-cert, --tls-key), or say --insecure-public if something in front of it does TLS.',
    )
  }
  return config
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}
