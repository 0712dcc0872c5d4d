import { CmdopError } from '@cmdop/protocol'
import type { SettingsSource } from './platform.ts'

/** Milliseconds a REST call, and the first answer of a channel, may take unless set. */
export const DEFAULT_TIMEOUT_MS = 30_000

/** Times a REST call is tried again unless set. */
export const DEFAULT_RETRIES = 2

/** Settings of a client. Each is taken from here, then from its variable, then from the command line's config file. */
export interface ClientOptions {
  /** Key for the relay. `CMDOP_TOKEN`. */
  token?: string
  /** Address of the relay. `CMDOP_BASE_URL`. */
  baseUrl?: string
  /** Key for the platform (skills). `CMDOP_API_KEY`. Never used for the relay. */
  apiKey?: string
  /** Address of the platform. `CMDOP_API_BASE_URL`. Default: the relay. */
  apiBaseUrl?: string
  /** Fleet of fleet-scoped calls. `CMDOP_FLEET_ID`. */
  fleetId?: string
  /** Milliseconds for a REST call and a channel's first answer, never for a running command. `CMDOP_TIMEOUT_MS`. */
  timeoutMs?: number
  /** How often a REST call is tried again that failed with what is `retryable`; `timeoutMs` is for all tries. Default 2; 0 to 10. */
  retries?: number
  /** Calls that a person has to approve wait for the decision, instead of rejecting with `approval_required`. Default false. */
  waitForApproval?: boolean
}

/** Settings as they are in force. */
export interface ClientSettings {
  readonly baseUrl: string
  /** Missing until something needs it. */
  readonly token: string | undefined
  readonly apiKey: string | undefined
  readonly apiBaseUrl: string
  readonly fleetId: string | undefined
  readonly timeoutMs: number
  readonly retries: number
  readonly waitForApproval: boolean
}

/** Resolves the settings. Throws `config`, naming what is missing or wrong. */
export function resolveSettings(options: ClientOptions, source: SettingsSource): ClientSettings {
  const variable = (name: string) => source.environment[name] || undefined
  const givenUrl = options.baseUrl ?? variable('CMDOP_BASE_URL')
  const givenToken = options.token ?? variable('CMDOP_TOKEN')
  const file = givenUrl === undefined || givenToken === undefined ? source.configFile() : {}
  const baseUrl = parseRoot(givenUrl ?? file.baseUrl, 'baseUrl', 'CMDOP_BASE_URL')
  // The file's key is for the file's relay; it is not sent to any other.
  const fileToken =
    file.baseUrl !== undefined && parseRoot(file.baseUrl, 'base_url', 'config file') === baseUrl
      ? file.token
      : undefined
  const apiBaseUrl = options.apiBaseUrl ?? variable('CMDOP_API_BASE_URL')
  return {
    baseUrl,
    token: givenToken ?? fileToken,
    apiKey: options.apiKey ?? variable('CMDOP_API_KEY'),
    apiBaseUrl: apiBaseUrl === undefined ? baseUrl : parseRoot(apiBaseUrl, 'apiBaseUrl', 'CMDOP_API_BASE_URL'),
    fleetId: options.fleetId ?? variable('CMDOP_FLEET_ID'),
    timeoutMs: parseTimeout(options.timeoutMs ?? variable('CMDOP_TIMEOUT_MS')),
    retries: parseRetries(options.retries ?? DEFAULT_RETRIES),
    waitForApproval: options.waitForApproval ?? false,
  }
}

/** The key for the relay. Throws `config` when none is set. */
export function requireToken(settings: ClientSettings): string {
  if (settings.token !== undefined) return settings.token
  throw new CmdopError('config', `There is no key for the relay ${settings.baseUrl}: pass token, or set CMDOP_TOKEN.`)
}

/**
 * The key for the platform. Where the platform is the relay itself, at the very same address, the relay's key does: it is sent to nobody
 * who has not got it already. Throws `config` when there is none: a key for the relay is never sent to another address.
 */
export function requireApiKey({ apiKey, apiBaseUrl, baseUrl, token }: ClientSettings): string {
  if (apiKey !== undefined) return apiKey
  if (apiBaseUrl === baseUrl && token !== undefined) return token
  const what =
    apiBaseUrl === baseUrl ? 'pass apiKey or token, or set CMDOP_API_KEY' : 'pass apiKey, or set CMDOP_API_KEY'
  throw new CmdopError('config', `There is no key for the platform ${apiBaseUrl} (skills): ${what}.`)
}

function parseRetries(retries: number): number {
  if (Number.isInteger(retries) && retries >= 0 && retries <= 10) return retries
  throw new CmdopError('config', `Expected retries to be a whole number from 0 to 10, got "${retries}".`)
}

function parseRoot(url: string | undefined, option: string, variable: string): string {
  if (url === undefined) {
    throw new CmdopError(
      'config',
      `There is no address of a relay: pass ${option}, set ${variable}, or run: cmdop up, or cmdop login --url <relay>.`,
    )
  }
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.search !== '') {
    throw new CmdopError(
      'config',
      `Expected ${option} (${variable}) to be an http or https address, got "${withoutPassword(url).slice(0, 200)}".`,
    )
  }
  return parsed.href.replace(/\/+$/, '')
}

function withoutPassword(url: string): string {
  return url.replace(/[^/@]*@/, '***@')
}

function parseTimeout(value: number | string | undefined): number {
  const timeoutMs = value === undefined ? DEFAULT_TIMEOUT_MS : Number(value)
  if (Number.isFinite(timeoutMs) && timeoutMs >= 1 && timeoutMs <= 2_147_483_647) return timeoutMs
  throw new CmdopError('config', `Expected timeoutMs (CMDOP_TIMEOUT_MS) to be milliseconds from 1 up, got "${value}".`)
}
