import { jsonSchema, type ModelMessage, type StepResult, streamText, type TextStreamPart, tool, type ToolSet } from 'ai'
import type { JsonSchema } from '../output/json-schema.ts'
import type { Usage } from '../run/run-result.ts'
import { modelError, type ModelSource } from './model-error.ts'
import { type ModelObject, observedModel } from './observed-model.ts'
import { followInput } from './partial-answer.ts'
import { guardStep, type StepGuard } from './step-guard.ts'

/** One call of a model: the conversation goes in, pieces come out as they are made, and what it came to at the end. */
export type ModelStep = (request: StepRequest) => AsyncGenerator<StepPiece, StepOutcome, void>

/** What a step is asked. */
interface StepRequest {
  readonly messages: ModelMessage[]
  readonly tools: ToolSet
  /** Ends the step and its request. */
  readonly signal: AbortSignal
}

/** A piece of what the model writes. `partial`: the input of the followed tool as far as it is written. */
type StepPiece =
  | { readonly type: 'thinking' | 'text'; readonly content: string }
  | { readonly type: 'partial'; readonly output: unknown }

/** What a step came to. */
export interface StepOutcome {
  readonly text: string
  /** In the order the model made them. */
  readonly calls: readonly ProposedCall[]
  readonly finishReason: string
  readonly usage: Usage
  /** The model's turn for the conversation, with whatever its provider wants to see again. */
  readonly messages: readonly ModelMessage[]
}

/** A tool call as the model made it. Nothing has checked it. */
export interface ProposedCall {
  readonly toolCallId: string
  readonly tool: string
  readonly input: unknown
  /** The arguments were not JSON; `input` is their text. */
  readonly unreadable: boolean
}

/** Settings that only one provider knows, by its name. */
export type ProviderOptions = Readonly<Record<string, Readonly<Record<string, boolean>>>>

/** How a model is called. */
export interface ModelStepOptions {
  readonly model: ModelObject
  readonly source: ModelSource
  readonly providerOptions: ProviderOptions | undefined
  readonly instructions: string
  /** The tool whose input is shown while it is written. */
  readonly followed: string
  /** Calls after the first that failed for a reason that may pass: no answer, HTTP 408, 409, 429, 5xx. */
  readonly maxRetries: number
  /** Silence after which the call is given up. */
  readonly idleTimeoutMs: number
}

/** The tools of the loop as the SDK takes them: without `execute`, so that nothing runs but by the loop. */
export function toolSet(tools: readonly OfferedTool[]): ToolSet {
  return Object.fromEntries(
    tools.map(({ name, description, inputSchema, strict = false }) => [
      name,
      tool({ description, inputSchema: jsonSchema(inputSchema), ...(strict ? { strict } : {}) }),
    ]),
  )
}

/** A tool as a model is offered it. */
interface OfferedTool {
  readonly name: string
  readonly description: string
  readonly inputSchema: JsonSchema
  /** The provider promises arguments that fit the schema. */
  readonly strict?: boolean
}

/** Calls a model through one `streamText` of the AI SDK per step. Throws `model` or `config`, or what ended the run. */
export function createModelStep(options: ModelStepOptions): ModelStep {
  let guard: StepGuard | undefined
  const model = observedModel(options.model, () => guard?.touch())
  return async function* (request) {
    using current = guardStep(request.signal, options.idleTimeoutMs)
    guard = current
    const input = followInput(options.followed)
    let result: StepResult<ToolSet> | undefined
    try {
      const reader = streamText({
        model,
        instructions: options.instructions,
        messages: request.messages,
        tools: request.tools,
        maxRetries: options.maxRetries,
        abortSignal: current.signal,
        onError: () => undefined, // Otherwise the SDK prints it; it comes as a part of the stream too.
        onStepEnd: (step) => void (result = step as StepResult<ToolSet>),
        ...(options.providerOptions === undefined ? {} : { providerOptions: options.providerOptions }),
        include: { requestBody: false, requestMessages: false },
      }).stream.getReader()
      for (;;) {
        const { done, value } = await current.during(() => reader.read())
        if (done) break
        const piece = pieceOf(value)
        if (piece !== undefined) yield piece
        const partial = await input.add(value)
        if (partial !== undefined) yield { type: 'partial', output: partial.value }
      }
    } catch (error) {
      throw current.signal.aborted ? current.signal.reason : modelError(error, options.source)
    }
    if (current.signal.aborted) throw current.signal.reason
    current.complete()
    return outcomeOf(result, options.source)
  }
}

function pieceOf(part: TextStreamPart<ToolSet>): StepPiece | undefined {
  if (part.type === 'error') throw part.error
  if (part.type === 'text-delta' && part.text !== '') return { type: 'text', content: part.text }
  if (part.type === 'reasoning-delta' && part.text !== '') return { type: 'thinking', content: part.text }
  return undefined
}

/** A stream that ended without saying why it ended broke off: its last call or sentence may be half of one. */
function outcomeOf(result: StepResult<ToolSet> | undefined, source: ModelSource): StepOutcome {
  const silent = result?.finishReason === 'other' && result.rawFinishReason === undefined
  if (result === undefined || silent || result.finishReason === 'interrupted' || result.finishReason === 'error') {
    throw modelError(new Error('the stream broke off before the answer was complete'), source)
  }
  return {
    text: result.text,
    calls: result.toolCalls.map((call) => ({
      toolCallId: call.toolCallId,
      tool: call.toolName,
      input: call.input,
      unreadable: call.invalid === true && typeof call.input === 'string',
    })),
    finishReason: result.finishReason,
    usage: usageOf(result.usage),
    messages: result.response.messages.filter((message) => message.role === 'assistant').map(withValidNames),
  }
}

function usageOf(usage: StepResult<ToolSet>['usage']): Usage {
  const { inputTokens, outputTokens, totalTokens, inputTokenDetails, outputTokenDetails } = usage
  const sum = inputTokens === undefined && outputTokens === undefined ? null : (inputTokens ?? 0) + (outputTokens ?? 0)
  return {
    inputTokens: inputTokens ?? null,
    cachedInputTokens: inputTokenDetails.cacheReadTokens ?? null,
    outputTokens: outputTokens ?? null,
    reasoningTokens: outputTokenDetails.reasoningTokens ?? null,
    totalTokens: totalTokens ?? sum,
  }
}

/** A provider refuses a conversation with a tool name it would not have allowed; a model may still invent one. */
function withValidNames(message: ModelMessage): ModelMessage {
  if (message.role !== 'assistant' || typeof message.content === 'string') return message
  const content = message.content.map((part) =>
    part.type === 'tool-call' ? { ...part, toolName: validName(part.toolName) } : part,
  )
  return { ...message, content }
}

/** The name as it may stand in a conversation. */
export function validName(name: string): string {
  return name.replace(/[^\w-]/g, '_').slice(0, 64) || '_'
}
