import { createMCPClient, type ListToolsResult, type MCPClient } from '@ai-sdk/mcp'
import { Experimental_StdioMCPTransport as StdioTransport } from '@ai-sdk/mcp/mcp-stdio'
import { CmdopError } from '@cmdop/protocol'
import type { JsonSchema } from '../../output/json-schema.ts'
import { digestOf } from '../../run/digest.ts'
import { failedOutcome, shownValue, untilAborted } from '../sdk-tool.ts'
import type { OutputChunk, Tool, ToolContext, ToolOutcome } from '../tool.ts'
import type { McpPin, McpServer, McpServerOptions, McpToolDescription } from './mcp-server.ts'
import { driftError } from './drift.ts'

/** Milliseconds a call may take unless the server's options say otherwise. */
const defaultTimeoutMs = 60_000

/** Milliseconds in which a server over HTTP may answer that its session is over. */
const farewellMs = 1_000

/** Pages of tools that are read at most. */
const maxPages = 100

/** Milliseconds to connect and to list the tools, unless the server's options say otherwise. */
const defaultConnectTimeoutMs = 30_000

/** A tool of a server, by the server's name of it. */
interface OpenedTool {
  readonly remote: string
  readonly tool: Tool
}

/** Tools of a server that runs. */
interface OpenedServer {
  readonly tools: readonly OpenedTool[]
  readonly close: () => Promise<void>
}

/** Looks at what a server offers now, to be kept and given back as `pin`. Throws `connection` when it is not there in time. */
export async function mcpPin(server: McpServer, { signal }: { signal?: AbortSignal } = {}): Promise<McpPin> {
  const { client, offered } = await connect('MCP server', server.options, signal)
  await client.close()
  return offered
}

/**
 * Connects to a server and checks that it offers what it is pinned to. Throws `conflict` with the difference, and `connection`
 * when it is not there in time; nothing of it is left then.
 */
export async function openMcpServer(
  name: string,
  server: McpServer,
  { readOnly, signal }: { readOnly: ReadonlySet<string>; signal: AbortSignal },
): Promise<OpenedServer> {
  const { client, offered } = await connect(`MCP server ${name}`, server.options, signal)
  const pinned = server.options.pin ?? server.seen
  if (pinned !== undefined && pinned.fingerprint !== offered.fingerprint) {
    await client.close()
    throw driftError(name, pinned, offered)
  }
  server.seen ??= offered
  const timeoutMs = server.options.timeoutMs ?? defaultTimeoutMs
  const tools = Object.entries(offered.tools).map(([remote, described]): OpenedTool => {
    const known = `${name}_${remote}`.replace(/[^\w-]/g, '_').slice(0, 64)
    return { remote, tool: remoteTool({ name: known, remote, described }, client, { timeoutMs, readOnly }) }
  })
  return { tools, close: () => client.close() }
}

/** A server that is there, with what it offers. */
interface Connected {
  readonly client: MCPClient
  readonly offered: McpPin
}

/** Who is stopped, or waits in vain, closes the way to the server: a program that was started ends with it. */
async function connect(who: string, options: McpServerOptions, signal: AbortSignal | undefined): Promise<Connected> {
  const { connectTimeoutMs = defaultConnectTimeoutMs } = options
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), connectTimeoutMs)
  const limit = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
  try {
    return await opened(options, limit)
  } catch (error) {
    signal?.throwIfAborted()
    const reason = late.signal.aborted
      ? `it did not answer within ${connectTimeoutMs} ms`
      : error instanceof Error
        ? error.message
        : String(error)
    throw new CmdopError('connection', `The ${who} cannot be reached: ${reason}.`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function opened(options: McpServerOptions, signal: AbortSignal): Promise<Connected> {
  const client = await createMCPClient({
    transport: transportOf(options),
    clientName: 'cmdop',
    initializationOptions: { signal },
    onUncaughtError: () => undefined,
  })
  try {
    return { client, offered: await untilAborted(pinOf(client, signal), signal) }
  } catch (error) {
    await client.close()
    throw error
  }
}

function transportOf(options: McpServerOptions) {
  if (!('url' in options)) return stdio(options)
  const { url, headers } = options
  return { type: 'http', url, fetch: briefly, ...(headers === undefined ? {} : { headers: { ...headers } }) } as const
}

/** Whoever closes the way to a server says so to it, and does not wait for one that is silent. */
const briefly: typeof fetch = (input, init) =>
  fetch(input, init?.method === 'DELETE' ? { ...init, signal: AbortSignal.timeout(farewellMs) } : init)

function stdio({ command, env, cwd }: Extract<McpServerOptions, { command: unknown }>): StdioTransport {
  const [program, ...args] = command
  return new StdioTransport({
    command: program,
    args,
    stderr: 'ignore',
    ...(env === undefined ? {} : { env: { ...env } }),
    ...(cwd === undefined ? {} : { cwd }),
  })
}

async function pinOf(client: MCPClient, signal: AbortSignal): Promise<McpPin> {
  const tools: Record<string, McpToolDescription> = {}
  let cursor: string | undefined
  for (let page = 0; page < maxPages; page++) {
    const answer: ListToolsResult = await client.listTools({
      options: { signal },
      ...(cursor === undefined ? {} : { params: { cursor } }),
    })
    for (const { name, description = '', inputSchema } of answer.tools) {
      tools[name] = { description, inputSchema: inputSchema as unknown as JsonSchema }
    }
    if (answer.nextCursor === undefined || answer.nextCursor === cursor) break
    cursor = answer.nextCursor
  }
  return { fingerprint: digestOf(tools), tools }
}

interface RemoteTool {
  /** As the model knows it. */
  readonly name: string
  /** As the server knows it. */
  readonly remote: string
  readonly described: McpToolDescription
}

/** The server judges the input, because its schema is its own; ours only asks that it is an object. */
function remoteTool(
  { name, remote, described }: RemoteTool,
  client: MCPClient,
  { timeoutMs, readOnly }: { timeoutMs: number; readOnly: ReadonlySet<string> },
): Tool {
  const { $schema: _, ...inputSchema } = described.inputSchema
  return {
    name,
    description: described.description.slice(0, 4_000),
    inputSchema: { type: 'object', ...inputSchema },
    readOnly: readOnly.has(name),
    usesMachine: false,
    parse: (input) => {
      if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input
      throw new CmdopError('validation', `The input of ${name} does not fit: expected an object.`)
    },
    // oxlint-disable-next-line require-yield -- a server shows nothing before its result
    async *run(input, context): AsyncGenerator<OutputChunk, ToolOutcome, void> {
      try {
        const { value, isError } = await called(
          client,
          { remote, input: input as Record<string, unknown>, timeoutMs },
          context,
        )
        if (!isError) return shownValue(name, value, context)
        return failedOutcome(name, typeof value === 'string' ? value : JSON.stringify(value), context)
      } catch (error) {
        context.signal.throwIfAborted()
        return failedOutcome(name, error instanceof Error ? error.message : String(error), context)
      }
    },
  }
}

/** One call of a tool. */
interface RemoteCall {
  readonly remote: string
  readonly input: Record<string, unknown>
  readonly timeoutMs: number
}

async function called(client: MCPClient, { remote, input, timeoutMs }: RemoteCall, { signal }: ToolContext) {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const calling = client.callTool({ name: remote, arguments: input, options: { signal: limit } })
  const result = await untilAborted(calling, limit).catch((error: unknown) => {
    throw limit.aborted ? new Error(`it did not answer within ${timeoutMs} ms`) : error
  })
  const { content, structuredContent, isError } = result as {
    content?: unknown
    structuredContent?: unknown
    isError?: boolean
  }
  return { value: structuredContent ?? textOf(content), isError: isError === true }
}

/** The texts of a result; what is no text is named by its kind. */
function textOf(content: unknown): unknown {
  if (!Array.isArray(content)) return content
  return content
    .map(
      (part: { type?: string; text?: string; mimeType?: string }) =>
        part.text ?? `[${part.type ?? 'content'} ${part.mimeType ?? ''}]`,
    )
    .join('\n')
}
