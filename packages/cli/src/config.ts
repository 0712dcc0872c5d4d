import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { configFilePath } from '@cmdop/core'

/** The one place of the command line that looks at `process.env`. */
const environment = process.env

/** Where relay and machine keep their state: `$XDG_STATE_HOME/cmdop`, by default in `~/.local/state`. */
export function defaultDataDir(): string {
  return join(environment['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'cmdop')
}

/** The command line's config file. */
export function configFile(): string {
  return configFilePath(environment)
}

/** Keeps address and key for later commands, in a file that only its owner can read. */
export async function writeConfigFile(config: { baseUrl: string; token: string }): Promise<string> {
  const path = configFile()
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(path, `${JSON.stringify({ base_url: config.baseUrl, token: config.token }, null, 2)}\n`, {
    mode: 0o600,
  })
  await chmod(path, 0o600)
  return path
}

/** Whether the environment names a relay. */
export function hasRelayInEnvironment(): boolean {
  return Boolean(environment['CMDOP_BASE_URL'])
}
