import type { Toolbox, ToolboxTool } from '@cmdop/agent'
import type { Tool, ToolAnnotations } from '@modelcontextprotocol/sdk/types.js'
import * as z from 'zod'
import type { MachineSource } from './machine-source.ts'

/** The tool that says which machines there are. */
export const listMachinesName = 'list_machines'

/** Most machines on a page: names and hostnames have their bounds, so that a page has too. */
const maxListed = 50

/** Input of `list_machines`. */
export const ListMachinesInput = z.object({
  presence: z.enum(['any', 'online', 'suspect', 'offline']).default('any').describe('Only these.'),
  q: z.string().max(255).optional().describe('Part of a name or hostname.'),
  limit: z.int().positive().max(maxListed).default(maxListed).describe('Most machines.'),
  cursor: z.string().max(1024).optional().describe('From an earlier answer, for the machines after it.'),
})

/** The argument of every other tool where there are several machines. */
export const MachineArgument = z.object({
  machine: z
    .string()
    .min(1)
    .max(255)
    .describe('Which machine: its id, hostname, name or a unique prefix, as list_machines shows them.'),
})

/** What a client is told of the tools. */
export function offeredTools(toolbox: Toolbox, { only }: MachineSource): Tool[] {
  const listMachines: Tool = {
    name: listMachinesName,
    description: 'Lists the machines that the other tools work on: name, presence, hostname, system, id.',
    inputSchema: schemaOf(ListMachinesInput),
    annotations: reading,
  }
  return [listMachines, ...toolbox.tools.map((tool) => offered(tool, only === undefined))]
}

function offered({ name, description, inputSchema, readOnly }: ToolboxTool, choosesMachine: boolean): Tool {
  const schema = { ...inputSchema, type: 'object' } as Tool['inputSchema']
  const machine = schemaOf(MachineArgument)
  return {
    name,
    description,
    inputSchema: choosesMachine
      ? {
          ...schema,
          properties: { ...machine.properties, ...schema.properties },
          required: [...(machine.required ?? []), ...(schema.required ?? [])],
        }
      : schema,
    annotations: readOnly ? reading : (changing[name] ?? worst),
  }
}

const reading: ToolAnnotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
}

/** Of a tool of which nothing else is known, and of a command, which can do anything. */
const worst: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
}

/** Both replace what was there; to write the same content again changes nothing more. */
const changing: Readonly<Record<string, ToolAnnotations>> = {
  write_file: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  edit_file: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
}

function schemaOf(schema: z.ZodType): Tool['inputSchema'] {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' })
  return json as Tool['inputSchema']
}
