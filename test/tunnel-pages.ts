import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request, createServer, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type WebSocket, WebSocketServer } from 'ws'
import { blocksOf } from './tunnel-services.ts'

/** A site on loopback, as people have one behind a tunnel. */
export interface Site extends AsyncDisposable {
  readonly port: number
  /** Of the last request. */
  readonly seen: { headers: IncomingMessage['headers']; raw: readonly string[] } | undefined
  /** Answers of the stream at `/events` that are open: each call sends one event to all. */
  emit(event: string): void
  readonly streams: number
}

/**
 * `/` a page, `/headers` what it was sent, `/bytes/<count>` content as `blocksOf` has it, `/sha256` the hash of what it is sent, `/events` a
 * stream of events, and a WebSocket that echoes. With a certificate it speaks TLS.
 */
export async function startSite(tls?: { readonly cert: string; readonly key: string }): Promise<Site> {
  const streams = new Set<ServerResponse>()
  let seen: Site['seen']
  const answered = (asked: IncomingMessage, answer: ServerResponse) => {
    seen = { headers: asked.headers, raw: asked.rawHeaders }
    serve(asked, answer, streams).catch(() => answer.destroy())
  }
  const server = tls === undefined ? createServer(answered) : createSecureServer(tls, answered)
  server.requestTimeout = 0
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket: WebSocket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get seen() {
      return seen
    },
    emit: (event) => {
      for (const stream of streams) stream.write(`data: ${event}\n\n`)
    },
    get streams() {
      return streams.size
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets.clients) socket.terminate()
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

async function serve(asked: IncomingMessage, answer: ServerResponse, streams: Set<ServerResponse>): Promise<void> {
  const { url = '/' } = asked
  if (url === '/events') {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    answer.flushHeaders()
    streams.add(answer)
    answer.on('close', () => streams.delete(answer))
  } else if (url === '/sha256') {
    const hash = createHash('sha256')
    for await (const part of asked) hash.update(part as Buffer)
    answer.end(hash.digest('hex'))
  } else if (url.startsWith('/bytes/')) {
    await pipeline(Readable.from(blocksOf(Number(url.slice(7)))), answer)
  } else if (url === '/headers') {
    answer.writeHead(200, [
      'Content-Type',
      'application/json',
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
      'X-Hop',
      'no',
      'Connection',
      'X-Hop',
    ])
    answer.end(JSON.stringify(asked.headers))
  } else {
    answer.setHeader('content-type', 'text/html')
    answer.end('<h1>It works</h1>')
  }
}

/** What a visitor of a tunnel sees. */
export interface Seen {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A request to the relay for this host. */
export function ask(
  relayUrl: string,
  host: string,
  {
    path = '/',
    method = 'GET',
    headers = {},
  }: { path?: string; method?: string; headers?: Record<string, string> } = {},
) {
  return request(new URL(path, relayUrl), { method, headers: { host, ...headers }, agent: false })
}

/** Asks for a page of a tunnel, and reads all of the answer. */
export async function visit(relayUrl: string, host: string, given: Parameters<typeof ask>[2] = {}): Promise<Seen> {
  const sent = ask(relayUrl, host, given)
  sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) }
}
