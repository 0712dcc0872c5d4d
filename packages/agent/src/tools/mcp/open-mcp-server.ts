import { createMCPClient, type ListToolsResult, type MCPClient } from '@ai-sdk/mcp'
import { Experimental_StdioMCPTransport as StdioTransport } from '@ai-sdk/mcp/mcp-stdio'
import { CmdopError } from '@cmdop/protocol'
import type { JsonSchema } from '../../output/json-schema.ts'
import { digestOf } from '../../run/digest.ts'
import { shownValue, untilAborted } from '../sdk-tool.ts'
import type { OutputChunk, Tool, ToolContext, ToolOutcome } from '../tool.ts'
import type { McpPin, McpServer, McpServerOptions, McpToolDescription } from './mcp-server.ts'
import { driftError } from './drift.ts'

/** Milliseconds a call may take unless the server's options say otherwise. */
const defaultTimeoutMs = 60_000

/** Pages of tools that are read at most. */
const maxPages = 100

/** Tools of a server that runs. */
interface OpenedServer {
  readonly tools: Tool[]
  readonly close: () => Promise<void>
}

/** Looks at what a server offers now, to be kept and given back as `pin`. */
export async function mcpPin(server: McpServer, { signal }: { signal?: AbortSignal } = {}): Promise<McpPin> {
  const client = await connect('the MCP server', server.options, signal)
  try {
    return await pinOf(client)
  } finally {
    await client.close()
  }
}

/** Connects to a server and checks that it offers what it is pinned to. Throws `conflict` with the difference. */
export async function openMcpServer(
  name: string,
  server: McpServer,
  { readOnly, signal }: { readOnly: ReadonlySet<string>; signal: AbortSignal },
): Promise<OpenedServer> {
  const client = await connect(name, server.options, signal)
  try {
    const offered = await untilAborted(pinOf(client), signal)
    const pinned = server.options.pin ?? server.seen
    if (pinned !== undefined && pinned.fingerprint !== offered.fingerprint) throw driftError(name, pinned, offered)
    server.seen ??= offered
    const tools = Object.entries(offered.tools).map(([tool, described]) =>
      remoteTool({ name: `${name}_${tool}`.replace(/[^\w-]/g, '_').slice(0, 64), remote: tool, described }, client, {
        timeoutMs: server.options.timeoutMs ?? defaultTimeoutMs,
        readOnly,
      }),
    )
    return { tools, close: () => client.close() }
  } catch (error) {
    await client.close()
    throw error
  }
}

async function connect(name: string, options: McpServerOptions, signal: AbortSignal | undefined): Promise<MCPClient> {
  const transport =
    'url' in options
      ? ({
          type: 'http',
          url: options.url,
          ...(options.headers === undefined ? {} : { headers: { ...options.headers } }),
        } as const)
      : stdio(options)
  try {
    const connecting = createMCPClient({ transport, clientName: 'cmdop', onUncaughtError: () => undefined })
    return signal === undefined ? await connecting : await untilAborted(connecting, signal)
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    const reason = error instanceof Error ? error.message : String(error)
    throw new CmdopError('connection', `The MCP server ${name} cannot be reached: ${reason}.`, { cause: error })
  }
}

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

async function pinOf(client: MCPClient): Promise<McpPin> {
  const tools: Record<string, McpToolDescription> = {}
  let cursor: string | undefined
  for (let page = 0; page < maxPages; page++) {
    const answer: ListToolsResult = await client.listTools(cursor === undefined ? {} : { params: { cursor } })
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
      const result = await called(client, { name, remote, input: input as Record<string, unknown>, timeoutMs }, context)
      return shownValue(name, result, context)
    },
  }
}

async function called(
  client: MCPClient,
  {
    name,
    remote,
    input,
    timeoutMs,
  }: { name: string; remote: string; input: Record<string, unknown>; timeoutMs: number },
  { signal }: ToolContext,
): Promise<unknown> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const calling = client.callTool({ name: remote, arguments: input, options: { signal: limit } })
  const result = await untilAborted(calling, limit).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason
    const reason = limit.aborted
      ? `it did not answer within ${timeoutMs} ms`
      : error instanceof Error
        ? error.message
        : String(error)
    throw new CmdopError('exec_failed', `The tool ${name} failed: ${reason}.`, { cause: error })
  })
  const { content, structuredContent, isError } = result as {
    content?: unknown
    structuredContent?: unknown
    isError?: boolean
  }
  const value = structuredContent ?? textOf(content)
  if (isError === true)
    throw new CmdopError(
      'exec_failed',
      `The tool ${name} failed: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
  return value
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
