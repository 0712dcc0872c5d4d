import type { Suspicion } from '../context/suspicion.ts'
import type { ApprovalNotice } from '../ports/gate.ts'
import type { OutputChunk } from '../tools/tool.ts'
import type { RunError } from './run-error.ts'
import type { CallOutcome, RunResult, Usage } from './run-result.ts'

/**
 * What a run says while it goes on. Exactly one `result` or `error` comes, as the last event. `final_result` is the
 * answer, not work on the machine, so it shows as `result` and never as a `tool_call`.
 */
export type RunEvent<Output = unknown> = ProgressEvent | RunEndEvent<Output>

/** An event before the end. */
export type ProgressEvent =
  /** A piece of the model's thinking, as it comes. */
  | { readonly type: 'thinking'; readonly content: string }
  /** A piece of the model's text, as it comes. */
  | { readonly type: 'text'; readonly content: string }
  /** The answer as far as the model has written it. Nothing has validated it, and a later answer may replace it. */
  | { readonly type: 'partial'; readonly output: unknown }
  /** The model asks for a tool, which runs next if the gate allows it. */
  | { readonly type: 'tool_call'; readonly tool: string; readonly toolCallId: string; readonly input: unknown }
  /** A person is asked whether a call may run, or has decided. */
  | ({ readonly type: 'approval'; readonly tool: string; readonly toolCallId: string } & ApprovalNotice)
  | ToolChunkEvent
  | ToolResultEvent
  /** A step ended; the tokens and the cost of all steps so far. */
  | { readonly type: 'usage'; readonly usage: Usage; readonly cost: number | null }

/** Output of a tool while it runs, as `chunk`. The end of the call follows as a `tool_result` whose `final` is true. */
export interface ToolChunkEvent {
  readonly type: 'tool_result'
  readonly final: false
  readonly tool: string
  readonly toolCallId: string
  readonly chunk: OutputChunk
  readonly output?: undefined
  readonly isError?: undefined
}

/** A tool ended. For an error, `output` is its message. */
export interface ToolResultEvent {
  readonly type: 'tool_result'
  readonly final: true
  readonly tool: string
  readonly toolCallId: string
  readonly output: unknown
  readonly isError: boolean
  readonly outcome: CallOutcome
  /** What in the output looks as if it were meant to steer a model. It changed nothing about what is allowed. */
  readonly suspicious: readonly Suspicion[]
}

/** The last event. */
export type RunEndEvent<Output = unknown> =
  | { readonly type: 'result'; readonly output: Output; readonly result: RunResult<Output> }
  | { readonly type: 'error'; readonly error: RunError }
