import {
  type Context,
  context,
  metrics,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api'
import { isCmdopError } from '@cmdop/protocol'
import type { StepOutcome } from '../model/model-step.ts'
import type { ModelIdentity, RunStatus, Usage } from '../run/run-result.ts'

/** Version of the OpenTelemetry semantic conventions for generative AI that spans and metrics keep to. */
export const conventionsVersion = '1.37.0'

const schemaUrl = `https://opentelemetry.io/schemas/${conventionsVersion}`

/**
 * Spans and metrics of one run, through the OpenTelemetry API: nothing happens unless the process has set an SDK. Prompts,
 * outputs and inputs are not recorded.
 */
export interface Telemetry {
  startStep(): StepSpan
  startTool(tool: string, toolCallId: string): ToolSpan
  /** Runs with the span of the run as the active one, so that a run that works for it is its child. */
  within<Result>(work: () => Result): Result
  /** The run is over. */
  end(status: RunStatus, usage: Usage, error: unknown): void
}

/** One call of the model. */
interface StepSpan {
  end(outcome: StepOutcome): void
  fail(error: unknown): void
}

/** One call of a tool. */
interface ToolSpan {
  /** Runs with the span as the active one, so that what the tool starts is its child. */
  within<Result>(work: () => Result): Result
  end(outcome: string, error: unknown): void
}

/** Spans of calls that somebody else's agent makes: each is a child of what is active then. */
export const callTelemetry: Pick<Telemetry, 'startTool'> = {
  startTool: (tool, toolCallId) => startTool({ tool, toolCallId, tracer: ownTracer(), parent: context.active() }),
}

/** Begins the span of a run. */
export function startTelemetry(run: { runId: string; agentType: string; model: ModelIdentity }): Telemetry {
  const tracer = ownTracer()
  const provider = { 'gen_ai.provider.name': run.model.provider, 'gen_ai.request.model': run.model.id }
  const parent = context.active()
  const runAttributes = { 'gen_ai.agent.name': run.agentType, 'gen_ai.agent.id': run.runId }
  const span = tracer.startSpan(
    `invoke_agent ${run.agentType}`,
    { kind: SpanKind.INTERNAL, attributes: { 'gen_ai.operation.name': 'invoke_agent', ...runAttributes, ...provider } },
    parent,
  )
  const within = trace.setSpan(parent, span)
  return {
    startStep: () => {
      const started = performance.now()
      const attributes = { 'gen_ai.operation.name': 'chat', ...provider }
      const step = tracer.startSpan(`chat ${run.model.id}`, { kind: SpanKind.CLIENT, attributes }, within)
      const measure = (error: object): void =>
        instruments().duration.record((performance.now() - started) / 1000, { ...attributes, ...error })
      return {
        end: ({ finishReason, usage }) => {
          step.setAttributes({ 'gen_ai.response.finish_reasons': [finishReason], ...usageAttributes(usage) })
          step.end()
          measure({})
          countTokens(usage, attributes)
        },
        fail: (error) => {
          failed(step, error)
          measure({ 'error.type': typeOf(error) })
        },
      }
    },
    startTool: (tool, toolCallId) => startTool({ tool, toolCallId, tracer, parent: within }),
    within: (work) => context.with(within, work),
    end: (status, usage, error) => {
      span.setAttributes({ 'cmdop.run.status': status, ...usageAttributes(usage) })
      if (error === undefined) span.end()
      else failed(span, error)
    },
  }
}

function ownTracer(): Tracer {
  return trace.getTracerProvider().getTracer('@cmdop/agent', undefined, { schemaUrl })
}

interface ToolStart {
  readonly tool: string
  readonly toolCallId: string
  readonly tracer: Tracer
  readonly parent: Context
}

function startTool({ tool, toolCallId, tracer, parent }: ToolStart): ToolSpan {
  const attributes = {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': tool,
    'gen_ai.tool.call.id': toolCallId,
    'gen_ai.tool.type': 'function',
  }
  const call = tracer.startSpan(`execute_tool ${tool}`, { kind: SpanKind.INTERNAL, attributes }, parent)
  const active = trace.setSpan(parent, call)
  return {
    within: (work) => context.with(active, work),
    end: (outcome, error) => {
      call.setAttribute('cmdop.call.outcome', outcome)
      if (error !== undefined) failed(call, error)
      else if (outcome !== 'done') failed(call, new Error(outcome), outcome)
      else call.end()
    },
  }
}

function instruments() {
  const meter = metrics.getMeter('@cmdop/agent', undefined, { schemaUrl })
  return {
    duration: meter.createHistogram('gen_ai.client.operation.duration', {
      unit: 's',
      description: 'Duration of a call of a model.',
    }),
    tokens: meter.createHistogram('gen_ai.client.token.usage', {
      unit: '{token}',
      description: 'Tokens of a call of a model.',
    }),
  }
}

function countTokens({ inputTokens, outputTokens }: Usage, attributes: Record<string, string>): void {
  const { tokens } = instruments()
  if (inputTokens !== null) tokens.record(inputTokens, { ...attributes, 'gen_ai.token.type': 'input' })
  if (outputTokens !== null) tokens.record(outputTokens, { ...attributes, 'gen_ai.token.type': 'output' })
}

function usageAttributes({ inputTokens, outputTokens }: Usage): Record<string, number> {
  return {
    ...(inputTokens === null ? {} : { 'gen_ai.usage.input_tokens': inputTokens }),
    ...(outputTokens === null ? {} : { 'gen_ai.usage.output_tokens': outputTokens }),
  }
}

/** The kind of error and no more: its message may hold what a machine printed. */
function failed(span: Span, error: unknown, type = typeOf(error)): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}

function typeOf(error: unknown): string {
  if (isCmdopError(error)) return error.code
  return error instanceof Error ? error.name : '_OTHER'
}
