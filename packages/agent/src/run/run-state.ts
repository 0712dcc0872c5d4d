import { randomUUID } from 'node:crypto'
import type { StepOutcome } from '../model/model-step.ts'
import { finalResult } from './answer.ts'
import type {
  ModelIdentity,
  OutputStrategy,
  RunRecord,
  RunStatus,
  StepRecord,
  ToolCallRecord,
  Usage,
} from './run-result.ts'

/** What a run has done so far; its record is taken from it at the end, however the run ends. */
export interface RunState {
  readonly runId: string
  readonly steps: readonly StepRecord[]
  readonly usage: Usage
  /** Bytes of output the tools have shown to the model. */
  shownBytes: number
  addStep(outcome: StepOutcome, durationMs: number): void
  addToolCall(call: ToolCallRecord): void
  record(end: RunEnd): RunRecord
}

/** What only the end of a run knows. */
interface RunEnd {
  readonly status: RunStatus
  readonly output?: unknown
  readonly strategy: OutputStrategy | null
  readonly attempts: number
  readonly sessionId: string | null
  readonly recordingId: string | null
}

const noUsage: Usage = {
  inputTokens: null,
  cachedInputTokens: null,
  outputTokens: null,
  reasoningTokens: null,
  totalTokens: null,
}

/** A run that begins now. */
export function startRunState(model: ModelIdentity): RunState {
  const started = performance.now()
  const runId = randomUUID()
  const steps: StepRecord[] = []
  const toolCalls: ToolCallRecord[] = []
  let usage = noUsage
  let text = ''
  return {
    runId,
    steps,
    shownBytes: 0,
    get usage() {
      return usage
    },
    addStep: (outcome, durationMs) => {
      usage = added(usage, outcome.usage)
      text = outcome.text || text
      steps.push({
        index: steps.length,
        text: outcome.text,
        finishReason: outcome.finishReason,
        usage: outcome.usage,
        toolCallIds: outcome.calls.filter((call) => call.tool !== finalResult).map((call) => call.toolCallId),
        durationMs,
      })
    },
    addToolCall: (call) => void toolCalls.push(call),
    record: ({ status, output, strategy, attempts, sessionId, recordingId }) => ({
      status,
      output,
      text,
      model,
      usage,
      cost: null,
      steps: [...steps],
      toolCalls: [...toolCalls],
      effects: [],
      denied: [],
      strategy,
      attempts,
      repaired: status === 'completed' && attempts > 1,
      runId,
      sessionId,
      recordingId,
      durationMs: performance.now() - started,
    }),
  }
}

function added(one: Usage, other: Usage): Usage {
  const sum = (key: keyof Usage): number | null =>
    one[key] === null && other[key] === null ? null : (one[key] ?? 0) + (other[key] ?? 0)
  return {
    inputTokens: sum('inputTokens'),
    cachedInputTokens: sum('cachedInputTokens'),
    outputTokens: sum('outputTokens'),
    reasoningTokens: sum('reasoningTokens'),
    totalTokens: sum('totalTokens'),
  }
}
