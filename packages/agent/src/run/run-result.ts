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

/** One call of a tool, as the model asked for it and as it ended. */
export interface ToolCallRecord {
  readonly toolCallId: string
  readonly tool: string
  readonly input: unknown
  /** What the tool gave, as data; what the model saw of it is bounded and marked. For an error, its message. */
  readonly output: unknown
  readonly isError: boolean
  /** Index of the step that asked for it. */
  readonly step: number
  readonly durationMs: number
}

/** How a run ended. */
export type RunStatus = 'completed' | 'failed' | 'budget' | 'cancelled'

/** How the output was obtained: by the tool `final_result`, from JSON in the model's text, or as the text itself. */
export type OutputStrategy = 'final_result' | 'salvaged' | 'text'

/** Everything that is known of a run when it has ended, however it ended. */
export interface RunRecord<Output = unknown> {
  readonly status: RunStatus
  /** undefined unless the run completed. */
  readonly output: Output | undefined
  /** The last text the model wrote; empty when it wrote none. */
  readonly text: string
  readonly model: ModelIdentity
  /** All steps together. */
  readonly usage: Usage
  /** US dollars. Always null for now: prices are not known to this package. */
  readonly cost: number | null
  readonly steps: readonly StepRecord[]
  readonly toolCalls: readonly ToolCallRecord[]
  /** What the run changed on the machine, where it works in a transaction; empty: it worked on the machine directly. */
  readonly effects: readonly never[]
  /** Calls that were not allowed; empty: nothing in this package refuses a call yet, the machine's relay does. */
  readonly denied: readonly never[]
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
