import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { configFilePath } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'

/** The one place of the command line that looks at `process.env`. */
const environment = process.env

/** Where relay and machine keep their state: `$XDG_STATE_HOME/cmdop`, by default in `~/.local/state`. */
export function defaultDataDir(): string {
  return join(environment['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'cmdop')
}

/** The command line's config file. */
export function configFile(): string {
  return configFilePath(environment)
}

/**
 * Keeps address and key for later commands, in a file that only its owner can read. One that holds another relay is left
 * as it is, because its key may be nowhere else; then the answer is false.
 */
export async function writeConfigFile(config: { baseUrl: string; token: string }): Promise<boolean> {
  const path = configFile()
  if (!(await isFreeFor(path, config.baseUrl))) return false
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const text = `${JSON.stringify({ base_url: config.baseUrl, token: config.token }, null, 2)}\n`
  await writeSecret(path, text)
  return true
}

/** Writes a file whole, or not at all, with mode 0600 from its first byte on. */
export async function writeSecret(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** The mail server of `cmdop relay` from `CMDOP_SMTP_URL`, whose password then shows in no list of processes. */
export function smtpUrl(): string | undefined {
  return environment['CMDOP_SMTP_URL'] || undefined
}

/** What the config file holds; nothing when there is none. */
export async function readConfigFile(): Promise<{ baseUrl?: string | undefined; token?: string | undefined }> {
  const text = await readFile(configFile(), 'utf8').catch(() => '{}')
  const { base_url: baseUrl, token } = JSON.parse(text) as { base_url?: string; token?: string }
  return { baseUrl, token }
}

/** Forgets address and key. */
export async function forgetToken(): Promise<void> {
  await rm(configFile(), { force: true })
}

/** The token of `cmdop machine enroll` from `CMDOP_ENROLL_TOKEN`, so that it shows in no list of processes. */
export function enrollmentToken(): string {
  const token = environment['CMDOP_ENROLL_TOKEN']
  if (token) return token
  throw new CmdopError('config', 'There is no enrolment token: pass --token, or set CMDOP_ENROLL_TOKEN.')
}

/** The token of `cmdop mcp --http` from `CMDOP_MCP_TOKEN`; undefined when there is none. */
export function mcpToken(): string | undefined {
  return environment['CMDOP_MCP_TOKEN'] || undefined
}

async function isFreeFor(path: string, baseUrl: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '{}')
  try {
    const held = (JSON.parse(text) as { base_url?: string }).base_url
    return held === undefined || held === baseUrl
  } catch {
    return false
  }
}

/** Whether the environment names a relay. */
export function hasRelayInEnvironment(): boolean {
  return Boolean(environment['CMDOP_BASE_URL'])
}

/** Whether who looks at the output asks for none: https://no-color.org. */
export function isColourUnwanted(): boolean {
  return Boolean(environment['NO_COLOR'])
}

/** What programs in a session are told of this terminal. */
export function terminalEnvironment(): Record<string, string> {
  const names = ['TERM', 'COLORTERM'] as const
  return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])))
}
