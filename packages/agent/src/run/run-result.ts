import type { EffectSummary } from '@cmdop/core'
import type { Suspicion } from '../context/suspicion.ts'
import type { Plan } from '../plan/plan.ts'
import type { CountedLimit } from './budget.ts'

/** The model that made a result. */
export interface ModelIdentity {
  /** `anthropic`, `openai`, `openai-compatible`; `cmdop` for the built-in model. */
  readonly provider: string
  /** The name as the provider knows it; `facts` for the built-in model. */
  readonly id: string
}

/** Tokens as the model's server counts them. null: it reported none. */
export interface Usage {
  readonly inputTokens: number | null
  /** The part of `inputTokens` that came from the server's cache. */
  readonly cachedInputTokens: number | null
  readonly outputTokens: number | null
  /** The part of `outputTokens` that was spent on thinking. */
  readonly reasoningTokens: number | null
  readonly totalTokens: number | null
}

/** One call of the model. */
export interface StepRecord {
  /** From 0, in order. */
  readonly index: number
  readonly text: string
  /** Why the model stopped, in the AI SDK's words: `stop`, `tool-calls`, `length`. */
  readonly finishReason: string
  readonly usage: Usage
  /** What the model called in this step, by id; `final_result` is not among them. */
  readonly toolCallIds: readonly string[]
  readonly durationMs: number
}

/**
 * How a call of a tool ended. `error`: it could not do what it was asked. `denied`: the gate refused it. `pending`: a person
 * has not decided. `not-run`: no tool was left. `cancelled`: it was stopped, and is gone. `lost`: the machine's daemon ended
 * under it. `unknown`: it was in flight, and nobody knows what became of it.
 */
export type CallOutcome = 'done' | 'error' | 'denied' | 'pending' | 'not-run' | 'cancelled' | 'lost' | 'unknown'

/** One call of a tool, as it ran and as it ended. */
export interface ToolCallRecord {
  readonly toolCallId: string
  /** Unique in the run, and what the model knows the call by: `c1`, `c2`. */
  readonly label: string
  readonly tool: string
  /** As it ran. */
  readonly input: unknown
  /** As the model asked for it, where a person changed it; absent otherwise. */
  readonly proposedInput?: unknown
  /** What the tool gave, as data; what the model saw of it is bounded and marked. For an error, its message. */
  readonly output: unknown
  readonly isError: boolean
  readonly outcome: CallOutcome
  /** What in the output looks as if it were meant to steer a model. */
  readonly suspicious: readonly Suspicion[]
  /** Index of the step that asked for it. */
  readonly step: number
  readonly durationMs: number
}

/** A call that the gate refused. */
export interface DeniedCall {
  readonly toolCallId: string
  readonly tool: string
  readonly input: unknown
  readonly rule: string
  readonly reason: string
  /** What would permit it; null when nothing was named. */
  readonly remedy: string | null
}

/** An approval for which a run did not wait. */
export interface NeededApproval {
  readonly approvalId: string
  readonly toolCallId: string
  /** ISO 8601; null when it does not expire. */
  readonly expiresAt: string | null
}

/** Where a router sent its task. */
export interface RouteRecord {
  readonly handler: string
  /** The model's reason. */
  readonly reason: string
  /** What the handler was asked. */
  readonly task: string
  /** The handler's own run; null for a function. */
  readonly run: RunRecord | null
}

/**
 * How a run ended. `partial`: its budget ended it, and a part of an answer is there. `budget`: the same, without one.
 * `needs_approval`: it did not wait for a person.
 */
export type RunStatus = 'completed' | 'partial' | 'needs_approval' | 'budget' | 'cancelled' | 'failed'

/**
 * How the output was obtained: by the tool `final_result`, from JSON in the model's text, as the text itself, or by a
 * router's handler or the execution of a plan.
 */
export type OutputStrategy = 'final_result' | 'salvaged' | 'text' | 'handler'

/** Everything that is known of a run when it has ended, however it ended. */
export interface RunRecord<Output = unknown> {
  readonly status: RunStatus
  readonly agentType: string
  /** undefined unless the run completed. */
  readonly output: Output | undefined
  /** The last answer that the model began to write, unchecked, of a run that did not complete; undefined when there is none. */
  readonly partial: unknown
  /** The calls that each field of the output rests on, by tool-call id; null unless the run was asked for `evidence`. */
  readonly evidence: Readonly<Record<string, readonly string[]>> | null
  /** The last text the model wrote; empty when it wrote none. */
  readonly text: string
  readonly model: ModelIdentity
  /** All steps together, with those of the agents that worked for it. */
  readonly usage: Usage
  /** US dollars; null when the price of the model is not known, or its server counts no tokens. */
  readonly cost: number | null
  readonly steps: readonly StepRecord[]
  readonly toolCalls: readonly ToolCallRecord[]
  /**
   * What a run with restrictions changed, or would change. With `dryRun` the one of its session, which waits for a person to apply
   * it; with `noDelete` and `noOverwrite` one for each call that changed something, with its `refusal` where nothing was applied.
   */
  readonly effects: readonly EffectSummary[]
  /** Calls that the gate refused. */
  readonly denied: readonly DeniedCall[]
  /** Approvals that are waited for, of a run that is `needs_approval`. */
  readonly approvals: readonly NeededApproval[]
  /** The limit of the budget that ended the work; null when none did. The answer may still have come, in the reserved step. */
  readonly stoppedBy: CountedLimit | 'seconds' | null
  /** What the reader should know: a price that is not known, a limit that could not be kept. */
  readonly warnings: readonly string[]
  /** Of a router; null otherwise. */
  readonly route: RouteRecord | null
  /** Of a planner; null otherwise. */
  readonly plan: Plan | null
  /** null unless the run completed. */
  readonly strategy: OutputStrategy | null
  /** Answers of the model that were judged, the accepted one included. */
  readonly attempts: number
  /** Whether an earlier answer did not fit. */
  readonly repaired: boolean
  /** A UUID. */
  readonly runId: string
  /** Where the run's commands were shown. null: it ran none, or the machine has no sessions. */
  readonly sessionId: string | null
  /** null: the run is not recorded. */
  readonly recordingId: string | null
  readonly durationMs: number
}

/** What a run resolves to: `output` has the schema's type without narrowing. */
export interface RunResult<Output = unknown> extends RunRecord<Output> {
  readonly status: 'completed'
  readonly output: Output
  readonly strategy: OutputStrategy
}
