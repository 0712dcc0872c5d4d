import { CmdopError } from '@cmdop/protocol'
import type { Tool as SdkTool } from 'ai'
import type { AgentType } from '../agent-types/agent-type.ts'
import type { MachineAsker } from '../ports/ask-machine.ts'
import { digestOf } from '../run/digest.ts'
import { askMachine } from './ask-machine.ts'
import { builtInTools, type BuiltInToolName } from './built-in-tools.ts'
import { isMcpServer, type McpServer } from './mcp/mcp-server.ts'
import { openMcpServer } from './mcp/open-mcp-server.ts'
import { sdkTool } from './sdk-tool.ts'
import type { Tool } from './tool.ts'

/** Tools of a caller by name: AI SDK tools that can be executed, and MCP servers, whose tools are named `<name>_<tool>`. */
export type ToolsInput = Readonly<Record<string, SdkTool | McpServer>>

/** The tools of one run, ready to be called. Disposing closes the servers they came from. */
export interface OpenedTools extends AsyncDisposable {
  readonly tools: readonly Tool[]
  /** The same for the same names, descriptions and schemas. */
  readonly digest: string
  /** The same for each alone, by name. */
  digests(): Readonly<Record<string, string>>
}

/** Opens them, once for a run. */
export type OpenTools = (signal: AbortSignal) => Promise<OpenedTools>

interface ToolChoice {
  readonly tools?: ToolsInput | undefined
  readonly builtInTools?: readonly BuiltInToolName[] | undefined
  readonly readOnlyTools?: readonly string[] | undefined
}

const reserved = new Set(['final_result', 'ask_machine', ...Object.keys(builtInTools)])

/** What else decides about the tools of a run. */
interface ToolBounds {
  readonly asker: MachineAsker | undefined
  /** Whether the kernel of the machine has something to hold. */
  readonly isRestricted: boolean
}

/**
 * Checks the choice of tools at once, and opens them later. Throws `validation`, `unsupported` or `restriction_unenforceable`;
 * opening throws `validation` for two tools of one name, and what a server throws.
 */
export function openToolsOf(choice: ToolChoice, type: AgentType, bounds: ToolBounds): OpenTools {
  const { tools = {}, readOnlyTools = [] } = choice
  const own = builtIns(choice.builtInTools, type, bounds)
  const readOnly = new Set(readOnlyTools)
  const given: Tool[] = []
  const servers: [string, McpServer][] = []
  for (const [name, tool] of Object.entries(tools)) {
    if (!/^[\w-]{1,64}$/.test(name) || reserved.has(name)) {
      throw new CmdopError(
        'validation',
        `Expected the name of a tool to be letters, digits, _ and -, and not one of ours; got ${JSON.stringify(name)}.`,
      )
    }
    if (isMcpServer(tool)) servers.push([name, tool])
    else given.push(sdkTool(name, tool, readOnly.has(name)))
  }
  if (type.readOnly) refuseChanging([...own, ...given], type)
  return async (signal) => {
    await using opened = new AsyncDisposableStack()
    const names = new Map([...reserved, ...given.map((tool) => tool.name)].map((name) => [name, `tool ${name}`]))
    const remote: Tool[] = []
    for (const [name, server] of servers) {
      const { tools: found, close } = await openMcpServer(name, server, { readOnly, signal })
      opened.defer(close)
      for (const { remote, tool } of found) addName(names, tool.name, `tool ${remote} of the MCP server ${name}`)
      remote.push(...found.map(({ tool }) => tool))
    }
    const all = [...own, ...given, ...remote]
    if (type.readOnly) refuseChanging(remote, type)
    const kept = opened.move()
    return {
      tools: all,
      digest: digestOf(all.map(described)),
      digests: () => Object.fromEntries(all.map((tool) => [tool.name, digestOf(described(tool))])),
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    }
  }
}

/** A model knows a tool by its name alone. Throws `validation` for one that another tool has. */
function addName(names: Map<string, string>, name: string, origin: string): void {
  const other = names.get(name)
  if (other !== undefined) {
    throw new CmdopError(
      'validation',
      `The ${origin} and the ${other} would both be named ${name}. Give the server another name in tools.`,
      { details: { name, tools: [other, origin] } },
    )
  }
  names.set(name, origin)
}

function builtIns(
  names: readonly BuiltInToolName[] | undefined,
  type: AgentType,
  { asker, isRestricted }: ToolBounds,
): Tool[] {
  return (names ?? type.builtIns).flatMap((name) => {
    if (name !== 'ask_machine') {
      if (Object.hasOwn(builtInTools, name)) return [builtInTools[name]]
      throw new CmdopError(
        'validation',
        `There is no built-in tool ${JSON.stringify(name)}; there are: ${Object.keys(builtInTools).join(', ')}, ask_machine.`,
      )
    }
    // Who is restricted here is not to have it done elsewhere.
    if (isRestricted && names === undefined) return []
    if (isRestricted) throw otherOperator()
    if (asker !== undefined) return [askMachine(asker)]
    if (names === undefined) return []
    throw new CmdopError(
      'unsupported',
      'This agent cannot ask another machine: give createAgent askMachine: askThrough(client).',
    )
  })
}

function otherOperator(): CmdopError {
  const message = 'The operator of another machine is not under the restrictions of this run; leave ask_machine out.'
  const details = { restriction: 'restrictions', missing: 'hold on another operator', step: 'plan', executed: false }
  return new CmdopError('restriction_unenforceable', message, {
    details: { ...details, fix: 'Leave ask_machine out.' },
  })
}

function refuseChanging(tools: readonly Tool[], { name }: AgentType): void {
  const changing = tools.filter((tool) => !tool.readOnly).map((tool) => tool.name)
  if (changing.length === 0) return
  throw new CmdopError(
    'validation',
    `A ${name} takes only tools that change nothing, not ${changing.join(', ')}. Name those of yours that only read in readOnlyTools.`,
  )
}

function described({ name, description, inputSchema }: Tool) {
  return { name, description, inputSchema }
}
