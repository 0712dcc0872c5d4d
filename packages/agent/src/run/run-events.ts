import type { RunError } from './run-error.ts'
import type { RunResult, Usage } from './run-result.ts'

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
  /** The model asks for a tool, which runs next. */
  | { readonly type: 'tool_call'; readonly tool: string; readonly toolCallId: string; readonly input: unknown }
  /** The tool ended. For an error, `output` is its message. */
  | {
      readonly type: 'tool_result'
      readonly tool: string
      readonly toolCallId: string
      readonly output: unknown
      readonly isError: boolean
    }
  /** A step ended; the tokens of all steps so far. */
  | { readonly type: 'usage'; readonly usage: Usage }

/** The last event. */
export type RunEndEvent<Output = unknown> =
  | { readonly type: 'result'; readonly output: Output; readonly result: RunResult<Output> }
  | { readonly type: 'error'; readonly error: RunError }
