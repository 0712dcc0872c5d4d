import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { ProgressCallback, RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js'
import { type CallToolResult, CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js'
import type { WireError } from '@cmdop/protocol'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { ownEnvironment } from './processes/environment.ts'

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))

/** What a call gave, in its two forms. */
export interface McpAnswer {
  readonly text: string
  readonly isError: boolean
  readonly error: WireError | undefined
}

/** A real MCP client; closed with its scope. */
export interface McpClient extends AsyncDisposable {
  readonly client: Client
  call(tool: string, input?: object, options?: RequestOptions): Promise<McpAnswer>
}

/** Program and arguments of `cmdop mcp`. */
export function mcpCommand(...flags: string[]): [string, ...string[]] {
  return [process.execPath, '--conditions=@cmdop/source', main, 'mcp', ...flags]
}

/** Its environment: that of `startCli`. */
export function mcpEnv(env: Record<string, string>): Record<string, string> {
  return { ...ownEnvironment(), ...env }
}

/** A client of a new `cmdop mcp` on standard streams. */
export async function stdioClient(env: Record<string, string>, ...flags: string[]): Promise<McpClient> {
  const [command, ...args] = mcpCommand(...flags)
  return connected(new StdioClientTransport({ command, args, env: mcpEnv(env), stderr: 'ignore' }))
}

/** The same. `close` ends the client, and resolves with what the server has said on standard error. */
export async function toldClient(
  env: Record<string, string>,
  ...flags: string[]
): Promise<McpClient & { close(): Promise<string> }> {
  const [command, ...args] = mcpCommand(...flags)
  const transport = new StdioClientTransport({ command, args, env: mcpEnv(env), stderr: 'pipe' })
  const said = text(transport.stderr as Readable)
  const client = await connected(transport)
  return { ...client, close: () => client.client.close().then(() => said) }
}

/** A client of one that serves HTTP. `leave` ends its session, as a client does that is done. */
export async function httpClient(url: string, token: string): Promise<McpClient & { leave(): Promise<void> }> {
  const headers = { authorization: `Bearer ${token}` }
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  return { ...(await connected(transport)), leave: () => transport.terminateSession() }
}

/** Collects the text of progress notifications. */
export function collected(then: (text: string) => void = () => {}): {
  text: () => string
  onprogress: ProgressCallback
} {
  let text = ''
  let last = -1
  return {
    text: () => text,
    onprogress: ({ progress, message = '' }) => {
      if (progress <= last) throw new Error('The progress did not grow.')
      last = progress
      text += message
      then(text)
    },
  }
}

async function connected(transport: Parameters<Client['connect']>[0]): Promise<McpClient> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport)
  return {
    client,
    call: async (name, input = {}, options) => {
      const params = { name, arguments: { ...input } }
      const result = (await client.callTool(params, CallToolResultSchema, options)) as CallToolResult
      const text = result.content.map((part) => (part.type === 'text' ? part.text : '')).join('')
      const { error } = (result.structuredContent ?? {}) as { error?: WireError }
      return { text, isError: result.isError === true, error }
    },
    [Symbol.asyncDispose]: () => client.close(),
  }
}
