import { randomUUID } from 'node:crypto'
import type { CallContext } from '../calls/call-context.ts'
import { performCall, type PerformedCall } from '../calls/perform-call.ts'
import { createOutputShelf } from '../context/output-shelf.ts'
import { digestOf } from '../run/digest.ts'
import { createLedger } from '../run/ledger.ts'
import type { ToolCallRecord } from '../run/run-result.ts'
import { shortened } from '../run/run-session.ts'
import { startRunState } from '../run/run-state.ts'
import { ownRestrictions, type Task } from '../run/task.ts'
import { createWorkplace } from '../run/workplace.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'
import { runCommand } from '../tools/run-command.ts'
import { terminal } from '../agent-types/terminal.ts'
import type { PlanExecutor, PlanReport, PlanStep, PlanStepReport } from './plan.ts'

/** Executes plans as the agent that made them would run commands: through its gate, its journal and its redaction. */
export function planExecutor(planned: Task): PlanExecutor {
  return async (plan, { signal = new AbortController().signal, onStep, ...more }) => {
    const restrictions = [...planned.restrictions, ...ownRestrictions(more)]
    const task: Task = { ...planned, restrictions, type: terminal, ledger: createLedger({}), history: undefined }
    const { identity: model } = task.source
    const state = startRunState({ model, agentType: 'plan', ledger: task.ledger, messages: [], warnings: [] })
    const telemetry = startTelemetry({ runId: state.runId, agentType: 'plan', model })
    const prompt = task.redactor.text(task.prompt)
    await using workplace = createWorkplace(task.machine, { prompt, runId: state.runId, restrictions })
    await workplace.open(signal)
    const context: CallContext = {
      task,
      state,
      telemetry,
      signal,
      workplace,
      tools: [runCommand],
      shelf: createOutputShelf(),
      denials: new Map(),
      closed: undefined,
    }
    await task.journal.append(state.runId, {
      type: 'run_started',
      agentType: 'plan',
      machineId: task.machine.id,
      model: `${model.provider}:${model.id}`,
      title: shortened(prompt),
      messages: [{ role: 'user', content: JSON.stringify(plan) }],
      nonce: task.fence.nonce,
      toolsDigest: digestOf(runCommand.inputSchema),
      tools: { [runCommand.name]: digestOf(runCommand.inputSchema) },
      schemaDigest: digestOf(null),
      schema: null,
      settings: { budget: {}, maxRepairs: 0, evidence: false },
    })
    const reports: PlanStepReport[] = []
    let stoppedAt: number | null = null
    for (const [index, step] of plan.steps.entries()) {
      const report = stoppedAt === null ? await executeStep(step, context) : skipped(step)
      if (stoppedAt === null && report.state !== 'done') stoppedAt = index
      reports.push(report)
      onStep?.(report, index)
    }
    const warnings = await workplace.close()
    const report: PlanReport = {
      status: stoppedAt === null ? 'completed' : 'stopped',
      runId: state.runId,
      steps: reports,
      stoppedAt,
      denied: state.denied,
      sessionId: workplace.sessionId,
      recordingId: workplace.recordingId,
      effects: workplace.effects.list,
      warnings,
    }
    const status = stoppedAt === null ? 'completed' : 'failed'
    await task.journal.append(state.runId, { type: 'run_ended', status, code: null, output: report })
    telemetry.end(status, state.usage, undefined)
    return report
  }
}

async function executeStep(step: PlanStep, context: CallContext): Promise<PlanStepReport> {
  const call = { toolCallId: randomUUID(), tool: runCommand.name, input: { command: step.command }, unreadable: false }
  const performing = performCall(call, context)
  try {
    for (;;) {
      const { done, value } = await performing.next()
      if (done === true) return reportOf(step, value)
    }
  } catch (error) {
    // A call that ends the run has been recorded; one that was never begun has not.
    const record = context.state.toolCalls.find(({ toolCallId }) => toolCallId === call.toolCallId)
    if (record !== undefined) return reportOf(step, { record })
    if (context.signal.aborted) return { ...skipped(step), state: 'cancelled', output: 'The plan was stopped.' }
    throw error
  }
}

function reportOf(step: PlanStep, { record }: Pick<PerformedCall, 'record'>): PlanStepReport {
  const output = record.output as { exitCode?: number | null; stdout?: string; stderr?: string } | string
  if (typeof output === 'string') return { ...step, state: stateOf(record), exitCode: null, output }
  const { exitCode = null, stdout = '', stderr = '' } = output
  const state = stateOf(record)
  return { ...step, state: state === 'done' && exitCode !== 0 ? 'failed' : state, exitCode, output: stdout + stderr }
}

function stateOf({ outcome }: ToolCallRecord): PlanStepReport['state'] {
  if (outcome === 'done' || outcome === 'unknown' || outcome === 'cancelled') return outcome
  return outcome === 'denied' || outcome === 'pending' ? 'refused' : 'failed'
}

function skipped(step: PlanStep): PlanStepReport {
  return { ...step, state: 'skipped', exitCode: null, output: '' }
}
