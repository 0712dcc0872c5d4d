import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { CHANNEL_SUBPROTOCOL, CmdopError } from '@cmdop/protocol'
import { fetch, WebSocket } from 'undici'
import { z } from 'zod'
import { processEnvironment } from './config.ts'
import { whenOpen } from './open-web-socket.ts'
import type { Platform } from './platform.ts'

const ConfigFile = z.object({ base_url: z.string().optional(), token: z.string().optional() })

/** Node: undici for HTTP and WebSocket, the process's environment, the command line's config file. */
export const nodePlatform: Platform = {
  settings: {
    environment: processEnvironment,
    configFile: () => readConfigFile(configFilePath(processEnvironment)),
  },
  fetch: (url, init) => fetch(url, init),
  openChannel: async ({ url, bearer }, signal) => {
    const headers = { authorization: `Bearer ${bearer}` }
    const socket = new WebSocket(url, { protocols: [CHANNEL_SUBPROTOCOL], headers })
    return whenOpen(socket, signal)
  },
}

/** `$XDG_CONFIG_HOME/cmdop/config.json`, by default in `~/.config`. */
export function configFilePath(environment: Readonly<Record<string, string | undefined>>): string {
  return join(environment['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'cmdop', 'config.json')
}

/** Nothing when there is no file. Throws `config` when others may read it, because it holds a key, or when it is no JSON. */
function readConfigFile(path: string): { baseUrl?: string | undefined; token?: string | undefined } {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return {}
  if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
    throw new CmdopError('config', `${path} holds a key and others may read it; run: chmod 600 ${path}`)
  }
  try {
    const { base_url, token } = ConfigFile.parse(JSON.parse(readFileSync(path, 'utf8')))
    return { baseUrl: base_url, token }
  } catch (cause) {
    throw new CmdopError('config', `${path} is not the JSON of cmdop's config file; correct or remove it.`, { cause })
  }
}
