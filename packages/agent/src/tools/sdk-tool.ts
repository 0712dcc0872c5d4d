import { CmdopError } from '@cmdop/protocol'
import { asSchema, type Tool as SdkTool } from 'ai'
import type { JsonSchema } from '../output/json-schema.ts'
import { boundedText } from './bounded-text.ts'
import type { OutputChunk, Tool, ToolContext, ToolOutcome } from './tool.ts'

/** A tool of the AI SDK, of any input. */
type AnySdkTool = SdkTool

/**
 * A tool of the AI SDK in our loop: its schema judges the input, its `needsApproval` goes to the gate, and what it gives is
 * data, bounded, fenced and cleaned like any output. Throws `validation` for one that cannot be executed here.
 */
export function sdkTool(name: string, tool: AnySdkTool, readOnly: boolean): Tool {
  const { execute, inputSchema, description } = tool as {
    execute?: unknown
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
    run: (input, context) => execution(name, () => Reflect.apply(execute, tool, [input, optionsOf(context)]), context),
  }
}

async function approvalOf({ needsApproval }: AnySdkTool, input: unknown): Promise<boolean> {
  if (typeof needsApproval !== 'function') return needsApproval === true
  return needsApproval(input, { toolCallId: '', messages: [], context: undefined })
}

function optionsOf({ signal, label }: ToolContext) {
  return { toolCallId: label, messages: [], abortSignal: signal, context: undefined }
}

/** Follows a tool that gives a value, or value after value of which the last one counts. */
async function* execution(
  name: string,
  start: () => unknown,
  context: ToolContext,
): AsyncGenerator<OutputChunk, ToolOutcome, void> {
  const given = attempted(name, start)
  let value: unknown
  if (isIterable(given)) {
    const values = given[Symbol.asyncIterator]()
    let isFirst = true
    for (;;) {
      const next = await untilAborted(Promise.resolve(values.next()).catch(failed(name)), context.signal)
      if (next.done === true) break
      if (!isFirst) yield { stream: 'preliminary', content: context.redactor.text(textOf(value)) }
      isFirst = false
      value = next.value
    }
  } else {
    value = await untilAborted(Promise.resolve(given).catch(failed(name)), context.signal)
  }
  return shownValue(name, value, context)
}

/** What a tool gave, as the model reads it. */
export function shownValue(
  name: string,
  value: unknown,
  { redactor, shelf, label, fence, limitBytes }: ToolContext,
): ToolOutcome {
  const data = Buffer.from(redactor.text(textOf(value)))
  shelf.place(label, 'result').add(data)
  const { text, shownBytes, truncated, headBytes } = boundedText(data, data.length, limitBytes)
  const more = truncated
    ? `\nMore of it: more_output with ${JSON.stringify({ call: label, output: 'result', offset: headBytes })}.`
    : ''
  return {
    text: fence.enclose(`result of ${name}, ${data.length} bytes`, text) + more,
    shownBytes,
    output: value ?? null,
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function attempted(name: string, start: () => unknown): unknown {
  try {
    return start()
  } catch (error) {
    return failed(name)(error)
  }
}

/** A tool that throws tells the model so; it is no fault of the run. */
function failed(name: string): (error: unknown) => never {
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CmdopError('exec_failed', `The tool ${name} failed: ${reason}`, { cause: error })
  }
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
