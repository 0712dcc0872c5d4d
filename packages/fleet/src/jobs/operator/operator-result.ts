import type { RunRecord, Usage } from '@cmdop/agent'
import type { EffectSummary } from '@cmdop/core'
import { type CmdopError, type OutcomeName, outcomeOfError, outcomes } from '@cmdop/protocol'

/** What an AI operator gave on one machine. */
export interface OperatorResult<Output = unknown> {
  /** Null unless the outcome is `ok`. */
  readonly output: Output | null
  /** The last text of the model; empty when it wrote none. */
  readonly text: string
  /** `anthropic:<name>` */
  readonly model: string
  /** The operator's own run: `client.runs` has its journal. */
  readonly runId: string
  /** Calls of the model, and of tools. */
  readonly steps: number
  readonly toolCalls: number
  readonly usage: Usage
  /** US dollars; null: the price of the model is not known, or its server counts no tokens. */
  readonly cost: number | null
  /** What a run with restrictions changed, or with `dryRun` would change. */
  readonly effects: readonly EffectSummary[]
  /** Milliseconds that were worked on it. */
  readonly durationMs: number
}

/** What a run came to, as a row has it. */
export function resultOfRun<Output>(record: RunRecord<Output>): OperatorResult<Output> {
  const { output = null, text, model, runId, steps, toolCalls, usage, cost, effects, durationMs } = record
  return {
    output,
    text,
    model: `${model.provider}:${model.id}`,
    runId,
    steps: steps.length,
    toolCalls: toolCalls.length,
    usage,
    cost,
    effects,
    durationMs: Math.round(durationMs),
  }
}

/** How it ended on a machine. What says that nothing ran says so only if nothing did. */
export function outcomeOfRun(error: CmdopError, { toolCalls }: RunRecord): OutcomeName {
  const outcome = outcomeOfError(error)
  if (outcome === 'cancelled' && toolCalls.some((call) => call.outcome === 'unknown')) return 'unknown'
  const hasActed = toolCalls.some((call) => !['denied', 'pending', 'not-run'].includes(call.outcome))
  if (!hasActed || outcomes[outcome].mayHaveRun) return outcome
  return outcome === 'unreachable' ? 'lost' : 'failed'
}
