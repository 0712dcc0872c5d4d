import { createToolbox, type Secret, type Toolbox } from '@cmdop/agent'
import type { Machine } from '@cmdop/core'
import { CmdopError, type EffectSummary, isCmdopError, type Restrictions, toWireError } from '@cmdop/protocol'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  type CallToolRequest,
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js'
import * as z from 'zod'
import { CLI_VERSION } from '../version.ts'
import { type LiveProgress, startLiveProgress } from './live-progress.ts'
import type { MachineSource } from './machine-source.ts'
import { instructionsFor } from './instructions.ts'
import { ListMachinesInput, listMachinesName, MachineArgument, offeredTools } from './offered-tools.ts'

/** What a server offers, and to whom it says nothing. */
export interface McpOptions {
  readonly machines: MachineSource
  /** Only tools that change nothing. */
  readonly readOnly: boolean
  /** What no call may do; undefined: what the key allows. */
  readonly restrictions: Restrictions | undefined
  /** Called with what was changed, or would be, under restrictions. */
  readonly onEffect: (effect: EffectSummary, machine: Machine) => void
  /** Never shown: the key of the relay, and that of the server itself. */
  readonly secrets: readonly Secret[]
}

/**
 * A server for one client. Disposing it stops the calls that run, waits for the machines to confirm that, and tells of what was
 * changed under restrictions.
 */
export interface McpServer extends AsyncDisposable {
  readonly server: Server
  /** Calls that are being worked on. */
  readonly calls: number
}

/** Calls that one client may have in work. Commands on one machine run one at a time anyway. */
const maxCalls = 64

/** Milliseconds that stopped calls may take to end; the machine ends what is left when the connection goes. */
const endWithinMs = 10_000

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

/** Makes one, which waits to be connected to a transport. */
export function createMcpServer(options: McpOptions): McpServer {
  const { machines, readOnly, restrictions } = options
  const toolbox = createToolbox(options)
  const server = new Server(
    { name: 'cmdop', version: CLI_VERSION },
    { capabilities: { tools: {} }, instructions: instructionsFor(machines, { readOnly, restrictions }) },
  )
  const tools = offeredTools(toolbox, machines)
  const running = new Set<Promise<unknown>>()
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }))
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    if (running.size >= maxCalls) return refused(tooMany)
    const call = answer(params, extra, { toolbox, machines, readOnly })
    running.add(call)
    return call.finally(() => running.delete(call))
  })
  return {
    server,
    get calls() {
      return running.size
    },
    [Symbol.asyncDispose]: async () => {
      await server.close()
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, endWithinMs)
      await Promise.race([Promise.allSettled(running), late.promise])
      clearTimeout(timer)
      await toolbox[Symbol.asyncDispose]()
    },
  }
}

const tooMany = new CmdopError('rate_limit', `${maxCalls} calls are being worked on. Wait until one of them has ended.`)

interface Work extends Pick<McpOptions, 'machines' | 'readOnly'> {
  readonly toolbox: Toolbox
}

async function answer(
  { name, arguments: input = {} }: CallToolRequest['params'],
  extra: Extra,
  work: Work,
): Promise<CallToolResult> {
  try {
    return name === listMachinesName ? await listMachines(input, extra, work) : await callTool(name, input, extra, work)
  } catch (error) {
    if (isCmdopError(error)) return refused(error)
    // Its message may quote what a machine said.
    const kind = error instanceof Error ? error.name : typeof error
    return refused(new CmdopError('server', `The server met a fault of its own (${kind}). Report what you called.`))
  }
}

async function callTool(
  name: string,
  input: Record<string, unknown>,
  extra: Extra,
  { toolbox, machines, readOnly }: Work,
): Promise<CallToolResult> {
  const { signal, requestId } = extra
  if (!toolbox.tools.some((tool) => tool.name === name)) throw notOffered(name, toolbox, readOnly)
  const { only } = machines
  const { machine: _, ...own } = input
  const machine = only ?? (await machines.machine(parsed(MachineArgument, name, input).machine, signal))
  using progress = progressFor(extra)
  const { text, error } = await toolbox.call({
    machine,
    tool: name,
    input: only === undefined ? own : input,
    signal,
    toolCallId: String(requestId),
    onOutput: ({ content }) => progress?.show(content),
  })
  return error === undefined ? { content: [{ type: 'text', text }] } : refused(error, text)
}

async function listMachines(
  input: Record<string, unknown>,
  { signal }: Extra,
  { toolbox, machines }: Work,
): Promise<CallToolResult> {
  const query = parsed(ListMachinesInput, listMachinesName, input)
  const { items, nextCursor: cursor } = await machines.list(query, signal)
  const lines = items.map(({ name, presence, hostname, os, architecture, lastSeenAt: lastSeen, id }) =>
    JSON.stringify({ name, presence, hostname, system: `${os}/${architecture}`, lastSeen, id }),
  )
  const more = cursor === null ? '' : `\nThere are more machines; cursor ${JSON.stringify(cursor)} continues.`
  const text = toolbox.enclose(`machines, ${items.length} entries`, lines.join('\n')) + more
  return { content: [{ type: 'text', text }] }
}

function notOffered(name: string, { tools }: Toolbox, readOnly: boolean): CmdopError {
  const offered = [listMachinesName, ...tools.map((tool) => tool.name)].join(', ')
  const why = readOnly ? ' This server offers only tools that change nothing.' : ''
  return new CmdopError(
    'not_found',
    `There is no tool ${JSON.stringify(name.slice(0, 100))} here.${why} Use one of: ${offered}.`,
  )
}

function parsed<Value>(schema: z.ZodType<Value>, name: string, input: unknown): Value {
  const { success, data, error } = schema.safeParse(input)
  if (success) return data
  throw new CmdopError('validation', `The input of ${name} does not fit. ${z.prettifyError(error)}`)
}

function progressFor({ _meta: meta, sendNotification }: Extra): LiveProgress | undefined {
  const progressToken = meta?.progressToken
  if (progressToken === undefined) return undefined
  return startLiveProgress((notice) =>
    sendNotification({ method: 'notifications/progress', params: { progressToken, ...notice } }),
  )
}

/** An answer that says what went wrong: in words for a model, and as data with its code for a program. */
function refused(error: CmdopError, text = `${error.code}: ${error.message}`): CallToolResult {
  return { isError: true, content: [{ type: 'text', text }], structuredContent: { error: toWireError(error) } }
}
