import { CmdopError } from '@cmdop/protocol'
import type { JsonSchema } from '../../output/json-schema.ts'

const brand = Symbol.for('cmdop.mcp-server')

/** Where an MCP server is: a program that speaks over its standard streams, or an address (streamable HTTP). */
export type McpServerOptions = {
  /** What the server offered when somebody looked at it: `await mcpPin(server)`. Anything else is `conflict`. */
  readonly pin?: McpPin | undefined
  /** Milliseconds a call may take. Default 60,000. */
  readonly timeoutMs?: number | undefined
  /** Milliseconds in which the server must be there and have listed its tools; then the run ends with `connection`. Default 30,000. */
  readonly connectTimeoutMs?: number | undefined
} & (
  | {
      readonly command: readonly [string, ...string[]]
      readonly env?: Readonly<Record<string, string>> | undefined
      readonly cwd?: string | undefined
    }
  | { readonly url: string; readonly headers?: Readonly<Record<string, string>> | undefined }
)

/** What a server offers, as it was seen: plain JSON, to be kept beside the code. */
export interface McpPin {
  /** SHA-256 over the tools. */
  readonly fingerprint: string
  readonly tools: Readonly<Record<string, McpToolDescription>>
}

/** A tool as its server describes it. */
export interface McpToolDescription {
  readonly description: string
  readonly inputSchema: JsonSchema
}

/** An MCP server whose tools a run may use. */
export interface McpServer {
  readonly options: McpServerOptions
  /** What it offered first, where no pin was given: it holds for every later run with this object. */
  seen: McpPin | undefined
}

/**
 * An MCP server as an entry of `tools`. Its tools are pinned: by `pin`, or by what the first run saw. A server that offers
 * anything else later ends the run with `conflict`, which shows the difference.
 */
export function mcpServer(options: McpServerOptions): McpServer {
  if ('url' in options && !/^https?:/.test(options.url)) {
    throw new CmdopError(
      'validation',
      `Expected the url of an MCP server to begin with http: or https:, got ${JSON.stringify(options.url)}.`,
    )
  }
  if (!('url' in options) && options.command.length === 0)
    throw new CmdopError('validation', 'Expected command to name a program.')
  return Object.defineProperty({ options, seen: undefined }, brand, { value: true })
}

/** True for what {@link mcpServer} made. */
export function isMcpServer(value: object): value is McpServer {
  return brand in value
}
