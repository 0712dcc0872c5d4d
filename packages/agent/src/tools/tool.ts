import type { Machine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import type { JsonSchema } from '../output/json-schema.ts'
import type { Fence } from '../run/fence.ts'
import type { Workplace } from '../run/workplace.ts'

/** What a tool works with during one call. */
export interface ToolContext {
  readonly machine: Machine
  /** Where commands run, one after another. */
  readonly workplace: Workplace
  readonly fence: Fence
  /** Aborted when the run ends; the tool stops what it started. */
  readonly signal: AbortSignal
  /** Most bytes of output this call may show to the model. */
  readonly limitBytes: number
}

/** What a call gave. */
export interface ToolOutcome {
  /** As data, for events and the record. */
  readonly output: unknown
  /** What the model reads: bounded, and marked as data. */
  readonly text: string
  /** Bytes of the machine's output within `text`. */
  readonly shownBytes: number
}

/** A tool that a model may call. */
export interface Tool {
  readonly name: string
  readonly description: string
  readonly inputSchema: JsonSchema
  /** Checks the input, then runs. Throws `validation` with the issues for an input that does not fit. */
  call(input: unknown, context: ToolContext): Promise<ToolOutcome>
}

/** A tool from its Zod schema: the schema is what the model sees, and what its input is judged by. */
export function defineTool<Input>(definition: {
  name: string
  description: string
  input: z.ZodType<Input>
  run: (input: Input, context: ToolContext) => Promise<ToolOutcome>
}): Tool {
  const { $schema: _, ...inputSchema } = z.toJSONSchema(definition.input, { target: 'draft-7', io: 'input' })
  return {
    name: definition.name,
    description: definition.description,
    inputSchema,
    call: async (input, context) => {
      const parsed = definition.input.safeParse(input)
      if (parsed.success) return definition.run(parsed.data, context)
      throw new CmdopError('validation', `The input of ${definition.name} does not fit. ${issuesOf(parsed.error)}`)
    },
  }
}

function issuesOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}.`).join(' ')
}
