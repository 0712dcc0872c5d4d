import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { DEFAULT_PORT, startRelay } from '@cmdop/relay'
import { defaultDataDir, smtpUrl } from '../config.ts'
import { exitCodes } from '../exit-codes.ts'
import { interrupted } from '../interrupt.ts'
import { parseCount, parsePort } from '../numbers.ts'
import { say, writeJson } from '../terminal.ts'

export interface RelayFlags {
  data?: string
  host?: string
  port?: string
  tlsCert?: string
  tlsKey?: string
  insecurePublic?: boolean
  allowOrigin?: string[]
  relayName?: string
  formerRelayName?: string[]
  auditSink?: string[]
  auditRetention?: string
  trustProxy?: string[]
  smtp?: string
  mailFrom?: string
  publicUrl?: string
  allowInsecureWebhooks?: boolean
  tunnelDomain?: string
  tunnelDeny?: string[]
  newOwnerKey?: boolean
  logLevel?: 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
  json?: boolean
}

/** `cmdop relay`: the relay, until ^C or SIGTERM. */
export async function relayCommand(flags: RelayFlags, signal: AbortSignal): Promise<number> {
  const dataDir = flags.data ?? join(defaultDataDir(), 'relay')
  await using relay = await startRelay({ ...(await relayConfig(flags)), dataDir })
  const key = relay.firstKey ?? (flags.newOwnerKey === true ? await relay.issueOwnerKey('owner key') : undefined)
  if (flags.json === true)
    await writeJson({ url: relay.url, relay_id: relay.relayId, ...(key === undefined ? {} : { key }) })
  else await sayRelay(relay.url, key)
  await interrupted(signal)
  return exitCodes.ok
}

/** The relay's settings as flags say them. */
export async function relayConfig(flags: RelayFlags): Promise<Omit<Parameters<typeof startRelay>[0], 'dataDir'>> {
  const { host, insecurePublic, allowOrigin, trustProxy, logLevel, auditSink, auditRetention } = flags
  const { relayName, formerRelayName } = flags
  const { publicUrl, allowInsecureWebhooks, tunnelDomain, tunnelDeny } = flags
  const tls = await readTls(flags)
  const smtp = readSmtp(flags)
  return {
    port: parsePort(flags.port, DEFAULT_PORT),
    ...(host === undefined ? {} : { host }),
    ...(insecurePublic === undefined ? {} : { insecurePublic }),
    ...(allowOrigin === undefined ? {} : { allowedOrigins: allowOrigin }),
    ...(trustProxy === undefined ? {} : { trustedProxies: trustProxy }),
    ...(smtp === undefined ? {} : { smtp }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(allowInsecureWebhooks === undefined ? {} : { webhooks: { allowInsecure: allowInsecureWebhooks } }),
    ...(tunnelDomain === undefined ? {} : { tunnelDomain }),
    ...(tunnelDeny === undefined ? {} : { tunnelDeny }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(relayName === undefined ? {} : { name: relayName }),
    ...(formerRelayName === undefined ? {} : { formerNames: formerRelayName }),
    ...(auditSink === undefined ? {} : { auditSinks: auditSink }),
    ...(auditRetention === undefined ? {} : { auditRetentionDays: parseCount('--audit-retention', auditRetention) }),
    ...(tls === undefined ? {} : { tls }),
  }
}

/** Address, and a key that is never shown again. */
export async function sayRelay(url: string, key: string | undefined): Promise<void> {
  await say(`relay: ${url}`)
  if (key !== undefined) await say(`owner key, shown only now: ${key}`)
}

async function readTls({ tlsCert, tlsKey }: RelayFlags): Promise<{ cert: string; key: string } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CmdopError('config', 'Expected --tls-cert and --tls-key together.')
  return { cert: await readPem(tlsCert), key: await readPem(tlsKey) }
}

function readSmtp({ smtp: url = smtpUrl(), mailFrom: from }: RelayFlags): { url: string; from: string } | undefined {
  if (url === undefined && from === undefined) return undefined
  if (url === undefined || from === undefined)
    throw new CmdopError('config', 'Expected --smtp (or CMDOP_SMTP_URL) and --mail-from together.')
  return { url, from }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new CmdopError('config', `${path} cannot be read.`, { cause })
  }
}
