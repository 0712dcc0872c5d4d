import { randomUUID } from 'node:crypto'
import type { ModelMessage } from 'ai'
import type { StepOutcome } from '../model/model-step.ts'
import type { Plan } from '../plan/plan.ts'
import { finalResult } from './answer.ts'
import type { CountedLimit } from './budget.ts'
import type { Ledger } from './ledger.ts'
import type {
  DeniedCall,
  ModelIdentity,
  NeededApproval,
  OutputStrategy,
  RouteRecord,
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
  readonly toolCalls: readonly ToolCallRecord[]
  readonly usage: Usage
  readonly denied: DeniedCall[]
  readonly approvals: NeededApproval[]
  readonly warnings: string[]
  /** The conversation so far. */
  readonly messages: ModelMessage[]
  /** Whether anything that was read looks like instructions. */
  readonly tainted: boolean
  stoppedBy: CountedLimit | 'seconds' | null
  partial: unknown
  route: RouteRecord | null
  plan: Plan | null
  /** A label for the next call. */
  nextLabel(): string
  addStep(outcome: StepOutcome, durationMs: number): StepRecord
  addUsage(usage: Usage): void
  addToolCall(call: ToolCallRecord): void
  record(end: RunEnd): RunRecord
}

/** What only the end of a run knows. */
export interface RunEnd {
  readonly status: RunStatus
  readonly output?: unknown
  readonly evidence?: RunRecord['evidence'] | undefined
  readonly strategy: OutputStrategy | null
  readonly attempts: number
  readonly sessionId: string | null
  readonly recordingId: string | null
  readonly effects: RunRecord['effects']
}

const noUsage: Usage = {
  inputTokens: null,
  cachedInputTokens: null,
  outputTokens: null,
  reasoningTokens: null,
  totalTokens: null,
}

interface RunOrigin {
  readonly model: ModelIdentity
  readonly agentType: string
  readonly ledger: Ledger
  readonly messages: readonly ModelMessage[]
  readonly warnings: readonly string[]
  /** Whether it begins with data that looks like instructions. Default false. */
  readonly tainted?: boolean | undefined
  /** Of a run that goes on. Default: a new one. */
  readonly runId?: string | undefined
  /** Milliseconds that were worked on it before. */
  readonly elapsedMs?: number | undefined
}

/** A run that begins, or goes on, now. */
export function startRunState({
  model,
  agentType,
  ledger,
  messages,
  warnings,
  tainted = false,
  runId = randomUUID(),
  elapsedMs = 0,
}: RunOrigin): RunState {
  const started = performance.now() - elapsedMs
  const steps: StepRecord[] = []
  const toolCalls: ToolCallRecord[] = []
  let usage = noUsage
  let text = ''
  let labels = 0
  const state: RunState = {
    runId,
    steps,
    toolCalls,
    denied: [],
    approvals: [],
    warnings: [...warnings],
    messages: [...messages],
    stoppedBy: null,
    partial: undefined,
    route: null,
    plan: null,
    get usage() {
      return usage
    },
    get tainted() {
      return tainted || toolCalls.some((call) => call.suspicious.length > 0)
    },
    nextLabel: () => `c${++labels}`,
    addStep: (outcome, durationMs) => {
      usage = added(usage, outcome.usage)
      text = outcome.text || text
      const step = {
        index: steps.length,
        text: outcome.text,
        finishReason: outcome.finishReason,
        usage: outcome.usage,
        toolCallIds: outcome.calls.filter((call) => call.tool !== finalResult).map((call) => call.toolCallId),
        durationMs,
      }
      steps.push(step)
      return step
    },
    addUsage: (more) => void (usage = added(usage, more)),
    addToolCall: (call) => void toolCalls.push(call),
    record: ({ status, output, evidence, strategy, attempts, sessionId, recordingId, effects }) => ({
      status,
      agentType,
      output,
      partial: status === 'completed' ? undefined : state.partial,
      evidence: evidence ?? null,
      text,
      model,
      usage,
      cost: ledger.cost,
      steps: [...steps],
      toolCalls: toolCalls.toSorted((one, other) => numberOf(one.label) - numberOf(other.label)),
      effects: [...effects],
      denied: [...state.denied],
      approvals: [...state.approvals],
      stoppedBy: state.stoppedBy,
      warnings: [...state.warnings],
      route: state.route,
      plan: state.plan,
      strategy,
      attempts,
      repaired: status === 'completed' && attempts > 1,
      runId,
      sessionId,
      recordingId,
      durationMs: performance.now() - started,
    }),
  }
  return state
}

/** Calls that ran side by side ended in any order; the record has them in that of the model. */
function numberOf(label: string): number {
  return Number(label.slice(1))
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
