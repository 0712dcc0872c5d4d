import { createHash, type Hash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import {
  CHANNEL_SUBPROTOCOL,
  CmdopError,
  createEmitterTransport,
  isUnseen,
  MAX_FRAME_BYTES,
  type Transport,
} from '@cmdop/protocol'
import { request } from 'undici'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { processEnvironment } from './config.ts'
import { listenNode } from './tunnels/listen-node.ts'
import { notOpened } from './open-web-socket.ts'
import type { HttpAnswer, HttpBodyReader, HttpRequest, Platform, Sha256Hash } from './platform.ts'

const ConfigFile = z.object({ base_url: z.string().optional(), token: z.string().optional() })

/** Node: undici for HTTP, `ws` for the channel, the process's environment, the command line's config file. */
export const nodePlatform: Platform = {
  settings: {
    environment: processEnvironment,
    configFile: () => readConfigFile(configFilePath(processEnvironment)),
  },
  fetch: send,
  openChannel: ({ url, bearer }, signal) => openSocket(new URL(url), { bearer, signal }),
  listen: listenNode,
  createSha256: () => growingHash(createHash('sha256')),
}

/** `request` rather than undici's `fetch`, which takes three times as much of the processor for a small answer. */
async function send(url: string, { method, headers, body: content, signal }: HttpRequest): Promise<HttpAnswer> {
  const {
    statusCode: status,
    headers: answered,
    body,
  } = await request(url, { method, headers, signal, body: content ?? null })
  if (status >= 300 && status < 400) {
    await body.dump()
    throw new Error(`The address answers with a redirect (HTTP ${status}).`)
  }
  return {
    status,
    headers: { get: (name) => [answered[name] ?? []].flat()[0] ?? null },
    text: () => body.text(),
    arrayBuffer: () => body.arrayBuffer(),
    get body() {
      const pieces = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
      return { getReader: () => readerOf(pieces) }
    },
  }
}

function readerOf(pieces: AsyncIterator<Uint8Array>): HttpBodyReader {
  return {
    read: async () => {
      const { done = false, value } = await pieces.next()
      return done ? { done } : { done, value }
    },
    cancel: async () => void (await pieces.return?.()),
  }
}

/** `ws` rather than undici's WebSocket, which masks every byte in JavaScript: an upload takes half as long. */
function openSocket(url: URL, { bearer, signal }: { bearer: string; signal: AbortSignal }): Promise<Transport> {
  const socket = new WebSocket(url, [CHANNEL_SUBPROTOCOL], {
    headers: { authorization: `Bearer ${bearer}` },
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES + 1024,
    skipUTF8Validation: true,
    ...(isUnseen(url) ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
  })
  const opened = Promise.withResolvers<Transport>()
  const stop = () => {
    opened.reject(signal.reason)
    socket.terminate()
  }
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  // The transport must listen before the event ends, so that the relay's first message is not missed.
  let stream: Socket | undefined
  socket.once('upgrade', (response) => (stream = response.socket))
  socket.once('open', () => {
    signal.removeEventListener('abort', stop)
    opened.resolve(createEmitterTransport(socket, stream))
  })
  socket.on('error', (cause) => opened.reject(notOpened(cause)))
  return opened.promise
}

function growingHash(hash: Hash): Sha256Hash {
  return {
    update: (data) => hash.update(data),
    copy: () => growingHash(hash.copy()),
    digest: () => hash.digest('hex'),
  }
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
    const { base_url: baseUrl, token } = ConfigFile.parse(JSON.parse(readFileSync(path, 'utf8')))
    return { baseUrl, token }
  } catch (cause) {
    throw new CmdopError('config', `${path} is not the JSON of cmdop's config file; correct or remove it.`, { cause })
  }
}
