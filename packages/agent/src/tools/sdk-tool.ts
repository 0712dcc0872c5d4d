import { CmdopError } from '@cmdop/protocol'
import { asSchema, type Tool as SdkTool, type ToolResultPart } from 'ai'
import type { JsonSchema } from '../output/json-schema.ts'
import { asJson } from '../run/as-json.ts'
import { boundedText } from './bounded-text.ts'
import type { OutputChunk, Tool, ToolContext, ToolOutcome } from './tool.ts'

/** What the AI SDK takes for what a model reads of a call. */
type ToolResultOutput = ToolResultPart['output']

/** A tool of the AI SDK, of any input. */
type AnySdkTool = SdkTool

/**
 * A tool of the AI SDK in our loop: its schema judges the input, its `needsApproval` goes to the gate, and what it gives,
 * through its `toModelOutput` if it has one, is data, bounded, fenced and cleaned like any output; so is what it throws. Throws `validation` for one that cannot be executed here.
 */
export function sdkTool(name: string, tool: AnySdkTool, readOnly: boolean): Tool {
  const { execute, inputSchema, description } = tool as {
    execute?: (...args: never[]) => unknown
    inputSchema?: unknown
    description?: unknown
  }
  if (typeof execute !== 'function' || inputSchema === undefined) {
    throw new CmdopError(
      'validation',
      `Expected the tool ${name} to have inputSchema and execute, as tool() of the AI SDK makes it.`,
    )
  }
  const schema = asSchema(inputSchema as Parameters<typeof asSchema>[0])
  const json = schema.jsonSchema as JsonSchema | PromiseLike<JsonSchema>
  if ('then' in json)
    throw new CmdopError('validation', `Expected the schema of the tool ${name} to be there at once, got a promise.`)
  const { $schema: _, ...toolSchema } = json
  return {
    name,
    description: typeof description === 'string' ? description : '',
    inputSchema: toolSchema,
    readOnly,
    usesMachine: false,
    needsApproval: (input) => approvalOf(tool, input),
    parse: async (input) => {
      const checked = await schema.validate?.(input)
      if (checked === undefined) return input
      if (checked.success) return checked.value
      throw new CmdopError('validation', `The input of ${name} does not fit. ${checked.error.message}`)
    },
    run: (input, context) => execution(tool, { name, input, context }, execute),
  }
}

async function approvalOf({ needsApproval }: AnySdkTool, input: unknown): Promise<boolean> {
  if (typeof needsApproval !== 'function') return needsApproval === true
  return needsApproval(input, { toolCallId: '', messages: [], context: undefined })
}

/** One call of a tool. */
interface Call {
  readonly name: string
  readonly input: unknown
  readonly context: ToolContext
}

/** Follows a tool to what it gives, or to why it failed; a tool that throws tells the model so, and is no fault of the run. */
async function* execution(
  tool: AnySdkTool,
  { name, input, context }: Call,
  execute: (...args: never[]) => unknown,
): AsyncGenerator<OutputChunk, ToolOutcome, void> {
  const { signal, toolCallId, messages } = context
  try {
    const options = { toolCallId, messages: messages(), abortSignal: signal, context: undefined }
    const given: unknown = Reflect.apply(execute, tool, [input, options])
    const value = isIterable(given) ? yield* lastOf(given, context) : await untilAborted(Promise.resolve(given), signal)
    if (typeof tool.toModelOutput !== 'function') return shownValue(name, value, context)
    const told = await untilAborted(Promise.resolve(tool.toModelOutput({ toolCallId, input, output: value })), signal)
    return shownOutcome(name, { value, told }, context)
  } catch (error) {
    signal.throwIfAborted()
    return failedOutcome(name, error instanceof Error ? error.message : String(error), context)
  }
}

/** Value after value of a tool, of which the last one counts. One that is left is told to return. */
async function* lastOf(
  given: AsyncIterable<unknown>,
  { signal, redactor }: ToolContext,
): AsyncGenerator<OutputChunk, unknown, void> {
  const values = given[Symbol.asyncIterator]()
  let value: unknown
  let ended = false
  try {
    for (let isFirst = true; ; isFirst = false) {
      const next = await untilAborted(Promise.resolve(values.next()), signal)
      if (next.done === true) {
        ended = true
        return value
      }
      if (!isFirst) yield { stream: 'preliminary', content: redactor.text(textOf(value)) }
      value = next.value
    }
  } finally {
    // Not awaited: one that waits for something returns only after that.
    if (!ended) Promise.resolve(values.return?.()).catch(() => undefined)
  }
}

/** What a tool gave, as the model reads it. */
export function shownValue(name: string, value: unknown, context: ToolContext): ToolOutcome {
  return { ...shown(name, { kind: 'result', text: textOf(value) }, context), output: value ?? null }
}

/** Why a tool failed, as the model reads it: these are words of somebody else, so they are data. */
export function failedOutcome(name: string, reason: string, context: ToolContext): ToolOutcome {
  const { text, shownBytes } = shown(name, { kind: 'error', text: reason }, context)
  const message = `exec_failed: The tool ${name} failed`
  return { text: `${message}.\n${text}`, shownBytes, output: `${message}: ${reason}`, failed: 'exec_failed' }
}

/** What a tool gave, and what it wants the model to read of it. */
interface Told {
  readonly value: unknown
  readonly told: ToolResultOutput
}

function shownOutcome(name: string, { value, told }: Told, context: ToolContext): ToolOutcome {
  const text = textOf(modelText(told))
  if (told.type.startsWith('error') || told.type === 'execution-denied') return failedOutcome(name, text, context)
  return { ...shown(name, { kind: 'result', text }, context), output: asJson(value) }
}

/** The texts in it; what is no text is named by its kind. */
function modelText(told: ToolResultOutput): unknown {
  if (told.type === 'execution-denied') return told.reason ?? 'It was not allowed.'
  if (told.type !== 'content') return told.value
  return told.value
    .map((part) => (part.type === 'text' ? part.text : `[${part.type} ${'mediaType' in part ? part.mediaType : ''}]`))
    .join('\n')
}

/** A text of somebody else: without secrets, bounded and fenced, with the rest on the shelf. */
function shown(
  name: string,
  { kind, text: given }: { kind: 'result' | 'error'; text: string },
  { redactor, shelf, label, fence, limitBytes }: ToolContext,
): Pick<ToolOutcome, 'text' | 'shownBytes'> {
  const data = Buffer.from(redactor.text(given))
  shelf.place(label, kind).add(data)
  const { text, shownBytes, truncated, headBytes } = boundedText(data, data.length, limitBytes)
  const more = truncated
    ? `\nMore of it: more_output with ${JSON.stringify({ call: label, output: kind, offset: headBytes })}.`
    : ''
  return { text: fence.enclose(`${kind} of ${name}, ${data.length} bytes`, text) + more, shownBytes }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

/** Whoever stops a run does not wait for a tool that ignores its signal; what became of it is not known then. */
export function untilAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>()
  const stop = (): void => aborted.reject(signal.reason)
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  work.catch(() => undefined)
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', stop))
}
