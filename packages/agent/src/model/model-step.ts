import { APICallError } from '@ai-sdk/provider'
import { retryWithExponentialBackoff } from '@ai-sdk/provider-utils'
import {
  type Experimental_LanguageModelStreamPart as StreamPart,
  experimental_streamLanguageModelCall,
  jsonSchema,
  type LanguageModelUsage,
  type ModelMessage,
  RetryError,
  tool,
  type ToolSet,
} from 'ai'
import type { JsonSchema } from '../output/json-schema.ts'
import type { Usage } from '../run/run-result.ts'
import { modelError, type ModelSource } from './model-error.ts'
import { type ModelObject, observedModel } from './observed-model.ts'
import { followInput } from './partial-answer.ts'
import { guardStep, type StepGuard } from './step-guard.ts'
import { createTurn, type Turn } from './turn.ts'

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
  /** It was proposed before its run stopped, and comes from the journal: without secrets. */
  readonly fromJournal?: boolean
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

/** Milliseconds before a failed call is repeated; twice as many before the next time. */
const firstRetryMs = 2_000

/** Longest wait that a server may ask for, in milliseconds. */
const longestRetryMs = 60_000

/**
 * Calls a model once per step, through the one function of the AI SDK that does that and no more: its loop around it is
 * not used. Throws `model` or `config`, or what ended the run.
 */
export function createModelStep(options: ModelStepOptions): ModelStep {
  let guard: StepGuard | undefined
  const model = observedModel(options.model, () => guard?.touch())
  return async function* (request) {
    using current = guardStep(request.signal, options.idleTimeoutMs)
    guard = current
    const input = followInput(options.followed)
    const turn = createTurn()
    let end: ModelCallEnd | undefined
    try {
      const { stream } = await current.during(() => called(model, request, { options, signal: current.signal }))
      const reader = stream.getReader()
      for (;;) {
        const { done, value } = await current.during(() => reader.read())
        if (done) break
        turn.add(value)
        if (value.type === 'model-call-end') end = value
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
    return outcomeOf(turn, end, options.source)
  }
}

/** A call that failed for a reason that may pass is repeated, when the server says so or after a while. */
async function called(
  model: ModelObject,
  { messages, tools }: StepRequest,
  { options, signal }: { options: ModelStepOptions; signal: AbortSignal },
) {
  const { instructions, providerOptions, maxRetries } = options
  const retry = retryWithExponentialBackoff({
    maxRetries,
    initialDelayInMs: firstRetryMs,
    abortSignal: signal,
    shouldRetry: (error) => APICallError.isInstance(error) && error.isRetryable,
    getDelayInMs: ({ error, exponentialBackoffDelay }) => askedDelay(error) ?? exponentialBackoffDelay,
    createRetryError: (failure) => new RetryError(failure),
  })
  return retry(() =>
    experimental_streamLanguageModelCall({
      model,
      instructions,
      messages,
      abortSignal: signal,
      ...(Object.keys(tools).length === 0 ? {} : { tools }),
      ...(providerOptions === undefined ? {} : { providerOptions }),
      _internal: { collectContent: false },
    }),
  )
}

/** Milliseconds that a server wants to be left alone. */
function askedDelay(error: unknown): number | undefined {
  const headers = APICallError.isInstance(error) ? error.responseHeaders : undefined
  const milliseconds = Number(headers?.['retry-after-ms'] ?? Number.NaN)
  const seconds = Number(headers?.['retry-after'] ?? Number.NaN)
  const asked = Number.isNaN(milliseconds) ? seconds * 1000 : milliseconds
  return Number.isNaN(asked) || asked < 0 || asked > longestRetryMs ? undefined : asked
}

/** The last part of a stream that came to its end. */
type ModelCallEnd = Extract<StreamPart, { type: 'model-call-end' }>

function pieceOf(part: StreamPart): StepPiece | undefined {
  if (part.type === 'error') throw part.error
  if (part.type === 'text-delta' && part.text !== '') return { type: 'text', content: part.text }
  if (part.type === 'reasoning-delta' && part.text !== '') return { type: 'thinking', content: part.text }
  return undefined
}

/** A stream that ended without saying why it ended broke off: its last call or sentence may be half of one. */
function outcomeOf(turn: Turn, end: ModelCallEnd | undefined, source: ModelSource): StepOutcome {
  const silent = end?.finishReason === 'other' && end.rawFinishReason === undefined
  if (end === undefined || silent || end.finishReason === 'interrupted' || end.finishReason === 'error') {
    throw modelError(new Error('the stream broke off before the answer was complete'), source)
  }
  const { text, calls, messages } = turn
  return { text, calls, messages, finishReason: end.finishReason, usage: usageOf(end.usage) }
}

function usageOf(usage: LanguageModelUsage): Usage {
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
