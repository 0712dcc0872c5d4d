import { canonicalJson, CmdopError } from '@cmdop/protocol'
import type { McpPin, McpToolDescription } from './mcp-server.ts'

/** A tool that is not what it was. */
interface ChangedTool {
  readonly tool: string
  readonly before: McpToolDescription
  readonly after: McpToolDescription
}

/** The error of a server that offers something else than it was pinned to, with the difference in words and as data. */
export function driftError(server: string, pinned: McpPin, offered: McpPin): CmdopError {
  const added = Object.keys(offered.tools).filter((name) => !Object.hasOwn(pinned.tools, name))
  const removed = Object.keys(pinned.tools).filter((name) => !Object.hasOwn(offered.tools, name))
  const changed = Object.entries(pinned.tools).flatMap(([tool, before]): ChangedTool[] => {
    const after = offered.tools[tool]
    return after === undefined || canonicalJson(before) === canonicalJson(after) ? [] : [{ tool, before, after }]
  })
  const parts = [
    ...added.map((name) => `+ ${name}`),
    ...removed.map((name) => `- ${name}`),
    ...changed.map(({ tool, before, after }) => `~ ${tool}: ${differences(before, after)}`),
  ]
  return new CmdopError(
    'conflict',
    `The MCP server ${server} does not offer what it is pinned to: ${parts.join('; ')}. Look at it, then pin it anew with mcpPin().`,
    { details: { server, added, removed, changed, fingerprint: offered.fingerprint } },
  )
}

function differences(before: McpToolDescription, after: McpToolDescription): string {
  const described =
    before.description === after.description
      ? []
      : [`description ${JSON.stringify(before.description)} is now ${JSON.stringify(after.description)}`]
  const schema = canonicalJson(before.inputSchema)
  const now = canonicalJson(after.inputSchema)
  return [...described, ...(schema === now ? [] : [`schema ${schema} is now ${now}`])].join(', ').slice(0, 2_000)
}
