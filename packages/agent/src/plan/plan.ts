import type { EffectSummary, RestrictionsInput } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import type { DeniedCall } from '../run/run-result.ts'

/** How much harm a step could do. */
export const dangers = ['low', 'medium', 'high', 'critical'] as const

/** One step of a plan: one command, and what a person needs to judge it. */
export const PlanStep = z.strictObject({
  description: z.string().min(1).describe('What the step does, in a sentence.'),
  command: z
    .union([z.array(z.string()).min(1), z.string().min(1)])
    .describe('An array is run as it is, program first. A string runs under /bin/sh -c.'),
  danger: z.enum(dangers).describe('How much harm it could do if it went wrong.'),
  reversible: z.boolean().describe('Whether it can be undone.'),
  expectedEffect: z.string().min(1).describe('What will be different on the machine afterwards.'),
})
export type PlanStep = z.infer<typeof PlanStep>

/** What a planner's model gives. */
export const PlanSteps = z.strictObject({
  steps: z.array(PlanStep).max(100).describe('In the order in which they run.'),
})

/** How a step of a plan went. `refused`: the gate denied it. `skipped`: an earlier one stopped the plan. */
export interface PlanStepReport extends PlanStep {
  readonly state: 'done' | 'failed' | 'refused' | 'cancelled' | 'unknown' | 'skipped'
  readonly exitCode: number | null
  /** What the command put out, by head and tail, or why it did not run. Without secrets. */
  readonly output: string
}

/** How the steps of a plan went. */
export interface PlanOutcome {
  readonly status: 'completed' | 'stopped'
  readonly steps: readonly PlanStepReport[]
  /** Index of the step that stopped it; null when none did. */
  readonly stoppedAt: number | null
}

/** How a plan went. */
export interface PlanReport extends PlanOutcome {
  /** With which `resume` goes on, where the machine, the relay or the script went away. */
  readonly runId: string
  readonly denied: readonly DeniedCall[]
  /** Where the steps were shown. null: none ran, or the machine has no sessions. */
  readonly sessionId: string | null
  readonly recordingId: string | null
  /** As those of a run: what the steps changed under restrictions, or would change. */
  readonly effects: readonly EffectSummary[]
  /** What of the effects could not be found out. */
  readonly warnings: readonly string[]
}

/** Options of an execution. */
export interface PlanExecuteOptions {
  /** Stops the running step, and the plan with it. */
  readonly signal?: AbortSignal | undefined
  /** What none of the steps may do, together with the restrictions of the run that made the plan. */
  readonly restrictions?: RestrictionsInput | undefined
  /** Called with each step when it is over. */
  readonly onStep?: ((step: PlanStepReport, index: number) => void) | undefined
}

/** Runs a plan. */
export type PlanExecutor = (plan: Plan, options: PlanExecuteOptions) => Promise<PlanReport>

/** What a planner found out should be done. Nothing of it has been done. */
export class Plan {
  readonly steps: readonly PlanStep[]
  readonly #executor: PlanExecutor
  #taken = false

  constructor(steps: readonly PlanStep[], executor: PlanExecutor) {
    this.steps = Object.freeze(steps.map((step) => Object.freeze({ ...step })))
    this.#executor = executor
  }

  /**
   * Runs the steps one by one, each through the gate and the journal, and stops at the first that fails or is refused.
   * A plan is executed once: `conflict` after that.
   */
  async execute(options: PlanExecuteOptions = {}): Promise<PlanReport> {
    if (this.#taken)
      throw new CmdopError('conflict', 'This plan was executed already. Ask for a new one, made of how things are now.')
    this.#taken = true
    return this.#executor(this, options)
  }

  /** The steps alone. */
  toJSON(): { steps: readonly PlanStep[] } {
    return { steps: this.steps }
  }
}
