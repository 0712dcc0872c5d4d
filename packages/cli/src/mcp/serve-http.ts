import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CmdopError } from '@cmdop/protocol'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { type GuardOptions, mcpPath, refusalOf } from './http-guard.ts'
import type { McpServer } from './mcp-server.ts'
import { recentEvents } from './recent-events.ts'

/** Most bytes of one request, as on standard streams. */
const maxRequestBytes = 8_388_608

/** Clients at once. The one that was silent longest makes room for another, unless it waits for an answer. */
const maxSessions = 32

/** Milliseconds after which a client that lost its connection is asked to come back. */
const retryAfterMs = 500

/** Connections at once. */
const maxConnections = 256

/** Where and for whom to listen. */
export interface HttpOptions extends GuardOptions {
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
}

/** A running server. Disposing it ends every session with its calls. */
export interface HttpServer extends AsyncDisposable {
  readonly url: string
}

/** What belongs to one client, from `initialize` until it deletes it. */
interface Session {
  readonly mcp: McpServer
  readonly transport: StreamableHTTPServerTransport
}

/** Serves the streamable HTTP transport. `create` makes a server for each client. Throws `config` when it cannot listen. */
export async function serveHttp(create: () => McpServer, options: HttpOptions): Promise<HttpServer> {
  /** By id, the one that was used last at the end. */
  const sessions = new Map<string, Session>()
  const open = new Map<McpServer, () => Promise<void>>()
  const server = createServer((request, response) => {
    handle(request, response, { sessions, open, create, options }).catch(() => {
      if (response.headersSent) response.destroy()
      else refuse(response, 500, 'The server met a fault of its own.')
    })
  })
  server.maxConnections = maxConnections
  await listen(server, options)
  const { address, family, port } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}${mcpPath}`,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      await Promise.allSettled(Array.from(open.values(), (end) => end()))
      server.closeAllConnections()
      await closed
    },
  }
}

interface Serving {
  readonly sessions: Map<string, Session>
  /** Servers that are not quite gone, also before their session begins, and how each is ended: once. */
  readonly open: Map<McpServer, () => Promise<void>>
  readonly create: () => McpServer
  readonly options: GuardOptions
}

async function handle(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const { sessions, options } = serving
  const refusal = refusalOf(request, options)
  if (refusal !== undefined) return refuse(response, refusal.status, refusal.message)
  const id = request.headers['mcp-session-id']
  if (typeof id !== 'string') return begin(request, response, serving)
  const session = sessions.get(id)
  if (session === undefined) return refuse(response, 404, 'There is no such session any more. Initialize another one.')
  sessions.delete(id)
  sessions.set(id, session)
  await session.transport.handleRequest(request, response)
}

/** A request without a session must be `initialize`; the transport refuses any other, and then nothing is kept. */
async function begin(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const { sessions, open, create } = serving
  if (!(await makeRoom(serving))) return refuse(response, 503, 'Too many clients are at work. Try again later.')
  const mcp = create()
  let ending: Promise<void> | undefined
  const end = () => (ending ??= ended(mcp).finally(() => open.delete(mcp)))
  open.set(mcp, end)
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    maxRequestBodySize: maxRequestBytes,
    eventStore: recentEvents(),
    retryInterval: retryAfterMs,
    onsessioninitialized: (id) => void sessions.set(id, { mcp, transport }),
  })
  mcp.server.onclose = () => {
    if (transport.sessionId !== undefined) sessions.delete(transport.sessionId)
    // What was changed under restrictions is told, whoever closes it.
    end().catch(() => {})
  }
  try {
    await mcp.server.connect(transport)
    await transport.handleRequest(request, response)
  } finally {
    if (transport.sessionId === undefined) await end()
  }
}

async function ended(mcp: McpServer): Promise<void> {
  await mcp[Symbol.asyncDispose]()
}

async function makeRoom({ sessions }: Serving): Promise<boolean> {
  if (sessions.size < maxSessions) return true
  const idle = [...sessions.values()].find(({ mcp }) => mcp.calls === 0)
  await idle?.mcp.server.close()
  return idle !== undefined
}

async function listen(server: Server, { host, port }: HttpOptions): Promise<void> {
  const listening = once(server, 'listening')
  server.listen(port, host)
  try {
    await listening
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new CmdopError(
      'config',
      `The server cannot listen at ${host}, port ${port} (${code}). Choose another --port.`,
      {
        cause,
      },
    )
  }
}

/** In the form of every answer of the protocol. */
function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    // What is left of the request is not read.
    connection: 'close',
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  })
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null }))
}
