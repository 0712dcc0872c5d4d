import type { ApprovalOptions, Machine } from '@cmdop/core'
import { CmdopError, type ErrorCode } from '@cmdop/protocol'
import type { ModelMessage } from 'ai'
import * as z from 'zod/v4'
import type { OutputShelf } from '../context/output-shelf.ts'
import type { JsonSchema } from '../output/json-schema.ts'
import type { Redactor } from '../redact/redactor.ts'
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
  /** How the machine is asked where a person has to approve what it does. */
  readonly approval: ApprovalOptions
  /** Cuts secrets out. Texts and values a tool gives are cleaned once more by the loop. */
  readonly redactor: Redactor
  /** Keeps output for `more_output`. */
  readonly shelf: OutputShelf
  /** The call's label in this run: `c3`. */
  readonly label: string
  /** As the model gave it. */
  readonly toolCallId: string
  /** The conversation to which the model answered with this call. */
  readonly messages: () => ModelMessage[]
  /** Set on top of the machine's environment for commands. */
  readonly env: Readonly<Record<string, string>>
  /** Under which the machine knows a command of this call, and remembers its end; undefined: the run is not written down. */
  readonly callId: string | undefined
  /** The call may have been made already, and began then (ISO 8601): it is asked for before anything is done. */
  readonly startedAt: string | undefined
}

/** Output of a call while it runs, without secrets. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr' | 'preliminary'
  readonly content: string
}

/** What a call gave. */
export interface ToolOutcome {
  /** As data, for events and the record. */
  readonly output: unknown
  /** What the model reads: bounded, and marked as data. */
  readonly text: string
  /** Bytes of the machine's output within `text`. */
  readonly shownBytes: number
  /** Why it did not do what it was asked; `output` says what it did. */
  readonly failed?: ErrorCode
}

/** A tool that a model may call. */
export interface Tool {
  readonly name: string
  readonly description: string
  readonly inputSchema: JsonSchema
  /** Changes nothing, so that calls of it may run side by side, and a planner may use it. */
  readonly readOnly: boolean
  /** Whether a call with this input changes nothing, for a tool that depends on it. Only the schedule follows it. */
  readonly sharesMachine?: ((input: unknown) => boolean) | undefined
  /** False: it does not work on the machine, and need not wait for what runs there. */
  readonly usesMachine?: false
  /** The machine does it, by calls that the relay decides about. */
  readonly byMachine?: true
  /** Whether it finds out by itself what became of a call that was in flight. One that does not is never made again, unless it only reads. */
  readonly recovers?: true
  /** Whether a call asks for a person. */
  readonly needsApproval?: ((input: unknown) => Promise<boolean>) | undefined
  /** Checks an input, or promises to. Throws `validation` with the issues for one that does not fit. */
  parse(input: unknown): unknown
  /** Runs with a checked input. */
  run(input: unknown, context: ToolContext): AsyncGenerator<OutputChunk, ToolOutcome, void>
}

/** What a built-in tool is made of. */
interface ToolDefinition<Input> {
  readonly name: string
  readonly description: string
  readonly input: z.ZodType<Input>
  readonly readOnly?: boolean
  readonly sharesMachine?: (input: Input) => boolean
  readonly recovers?: true
  /** Default true. */
  readonly byMachine?: false
  readonly run: (
    input: Input,
    context: ToolContext,
  ) => Promise<ToolOutcome> | AsyncGenerator<OutputChunk, ToolOutcome, void>
}

/** A tool from its Zod schema: the schema is what the model sees, and what its input is judged by. */
export function defineTool<Input>(definition: ToolDefinition<Input>): Tool {
  const { name, description, input: schema, readOnly = false, sharesMachine, recovers, byMachine, run } = definition
  const { $schema: _, ...inputSchema } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' })
  return {
    name,
    description,
    inputSchema,
    readOnly,
    ...(byMachine === undefined ? { byMachine: true } : {}),
    ...(recovers === undefined ? {} : { recovers }),
    ...(sharesMachine === undefined ? {} : { sharesMachine: (input) => sharesMachine(input as Input) }),
    parse: (input) => {
      const parsed = schema.safeParse(input)
      if (parsed.success) return parsed.data
      throw new CmdopError('validation', `The input of ${name} does not fit. ${issuesOf(parsed.error)}`)
    },
    async *run(input, context) {
      const running = run(input as Input, context)
      return Symbol.asyncIterator in running ? yield* running : await running
    },
  }
}

function issuesOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || '(root)'}: ${issue.message}.`).join(' ')
}
