import { digestOf } from '../run/digest.ts'
import { createLedger } from '../run/ledger.ts'
import { RunError } from '../run/run-error.ts'
import { runJournal } from '../run/run-journal.ts'
import type { RunRecord } from '../run/run-result.ts'
import { createRunStream } from '../run/run-stream.ts'
import { ownRestrictions, type RunOptions, type Task } from '../run/task.ts'
import { openToolsOf } from '../tools/open-tools.ts'
import { planType } from './executes-plan.ts'
import type { Plan, PlanExecuteOptions, PlanExecutor, PlanOutcome, PlanReport } from './plan.ts'

/**
 * Executes plans as the agent that made them would run commands: through its gate, its journal and its redaction. What stopped an
 * execution from outside is in its report.
 */
export function planExecutor(planned: Task): PlanExecutor {
  return async (plan, options) => {
    const stream = createRunStream<PlanOutcome>(planTask(planned, plan, options))
    try {
      const result = await stream.result
      return reportOf(result.output, result)
    } catch (error) {
      const outcome = error instanceof RunError ? (error.result.partial as PlanOutcome | undefined) : undefined
      if (!(error instanceof RunError) || outcome === undefined) throw error
      return reportOf(outcome, error.result)
    }
  }
}

/** It has no model, so it has no limits of one; and no time but that of each command. */
function planTask(planned: Task, plan: Plan, { signal, onStep, ...more }: PlanExecuteOptions): Task {
  const type = planType(onStep)
  const restrictions = [...planned.restrictions, ...ownRestrictions(more)]
  const options: RunOptions = { ...planned.options, builtInTools: ['run_command'], readOnlyTools: undefined }
  const budget = { steps: Math.max(1, plan.steps.length) }
  return {
    ...planned,
    type,
    options,
    restrictions,
    budget,
    ledger: createLedger({}),
    messages: [{ role: 'user', content: JSON.stringify(plan) }],
    schema: undefined,
    schemaDigest: digestOf(null),
    evidence: false,
    labelled: false,
    history: undefined,
    runId: undefined,
    journal: runJournal(planned.agent.journal),
    openTools: openToolsOf(options, type, { asker: undefined, isRestricted: false }),
    warnings: [],
    routes: undefined,
    signal,
  }
}

function reportOf({ status, steps, stoppedAt }: PlanOutcome, record: RunRecord): PlanReport {
  const { runId, denied, sessionId, recordingId, effects, warnings } = record
  return { status, runId, steps, stoppedAt, denied, sessionId, recordingId, effects, warnings }
}
