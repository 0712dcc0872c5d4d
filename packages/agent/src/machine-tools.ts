import type { Machine } from '@cmdop/core'
import { jsonSchema, tool, type ToolSet } from 'ai'
import { createToolbox, type ToolboxOptions } from './toolbox.ts'

/** Tools by name. Disposing ends the session in which they work under restrictions; without these there is nothing to end. */
export type MachineTools = ToolSet & AsyncDisposable

/**
 * A machine as tools for anyone's AI SDK agent. A call goes the way it goes in a run of ours: gate, journal, one command at a
 * time, output bounded, cleaned of secrets and marked as data. What fails is a result that says so, not an exception.
 */
export function machineTools(machine: Machine, options: ToolboxOptions = {}): MachineTools {
  const toolbox = createToolbox(options)
  const made = Object.fromEntries(
    toolbox.tools.map(({ name, description, inputSchema }) => [
      name,
      tool({
        description,
        inputSchema: jsonSchema(inputSchema),
        execute: async (input, { toolCallId, abortSignal: signal = new AbortController().signal }) => {
          const { text } = await toolbox.call({ machine, tool: name, input, signal, toolCallId })
          signal.throwIfAborted()
          return text
        },
      }),
    ]),
  )
  // Not among the names: whoever lists the tools, lists only tools.
  const dispose = { value: () => toolbox[Symbol.asyncDispose](), enumerable: false }
  return Object.defineProperty(made, Symbol.asyncDispose, dispose) as MachineTools
}
