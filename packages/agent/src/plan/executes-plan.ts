import { CmdopError } from '@cmdop/protocol'
import type { AgentType } from '../agent-types/agent-type.ts'
import type { CallContext } from '../calls/call-context.ts'
import { type PerformedCall, performCall } from '../calls/perform-call.ts'
import { createOutputShelf } from '../context/output-shelf.ts'
import { actsOnMachine } from '../journal/history.ts'
import { type Accepted, approvalNeeded, type Work } from '../run/operate.ts'
import type { ProgressEvent } from '../run/run-events.ts'
import type { ToolCallRecord } from '../run/run-result.ts'
import type { Task } from '../run/task.ts'
import { writeStart } from '../run/write-start.ts'
import { runCommand } from '../tools/run-command.ts'
import { type PlanOutcome, PlanSteps, type PlanStep, type PlanStepReport } from './plan.ts'

/** Called with each step when it is over. */
type OnStep = (step: PlanStepReport, index: number) => void

/**
 * A run that executes a plan instead of asking a model: its one message is the plan, its calls are the steps, and its output is
 * how they went. It stops at the first step that fails or is refused.
 */
export const executesPlan = planType()

/** The same, with somebody who is told of each step. */
export function planType(onStep: OnStep = () => {}): AgentType {
  return { name: 'plan', builtIns: ['run_command'], instructions: [], work: workOf(onStep) }
}

function workOf(onStep: OnStep): Work {
  return async function* (task, { state, workplace, signal, telemetry }) {
    await using opened = await task.openTools(signal)
    if (actsOnMachine(task.history)) await workplace.open(signal)
    await writeStart(task, state, opened)
    const { tools } = opened
    const shelf = createOutputShelf()
    const context = { task, state, workplace, signal, telemetry, tools, shelf, denials: new Map(), closed: undefined }
    const reports = stepsOf(task).map(skipped)
    let stoppedAt: number | null = null
    const outcome = (): PlanOutcome => ({
      status: stoppedAt === null ? 'completed' : 'stopped',
      steps: reports,
      stoppedAt,
    })
    for (const [index, step] of reports.entries()) {
      const { report, fatal } = yield* executeStep(step, index, context)
      reports[index] = report
      if (report.state !== 'done') stoppedAt = index
      onStep(report, index)
      if (fatal !== undefined || state.approvals.length > 0) {
        state.partial = outcome()
        throw fatal ?? approvalNeeded(task, state)
      }
      if (stoppedAt !== null) break
    }
    for (const [index, report] of reports.entries()) if (stoppedAt !== null && index > stoppedAt) onStep(report, index)
    return { accepted: true, output: outcome(), strategy: 'handler', beside: {} } satisfies Accepted
  }
}

/** The steps of the plan in the first message of its run. */
function stepsOf({ messages }: Task): readonly PlanStep[] {
  const [message] = messages
  const plan = typeof message?.content === 'string' ? PlanSteps.safeParse(parsedJson(message.content)).data : undefined
  if (plan !== undefined) return plan.steps
  throw new CmdopError('integrity', 'Expected the journal of an executed plan to begin with the plan.')
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface StepEnd {
  readonly report: PlanStepReport
  /** Ends the execution. */
  readonly fatal: unknown
}

async function* executeStep(
  step: PlanStep,
  index: number,
  context: CallContext,
): AsyncGenerator<ProgressEvent, StepEnd, void> {
  const toolCallId = `step-${index}`
  const call = {
    toolCallId,
    tool: runCommand.name,
    input: { command: step.command },
    unreadable: false,
    fromJournal: context.task.history !== undefined,
  }
  try {
    return { report: reportOf(step, yield* performCall(call, context)), fatal: undefined }
  } catch (fatal) {
    // A call that ends the run has been recorded; one that was never begun has not.
    const record = context.state.toolCalls.find((each) => each.toolCallId === toolCallId)
    if (record !== undefined) return { report: reportOf(step, { record }), fatal }
    if (!context.signal.aborted) throw fatal
    return { report: { ...skipped(step), state: 'cancelled', output: 'The plan was stopped.' }, fatal }
  }
}

function reportOf(
  { description, command, danger, reversible, expectedEffect }: PlanStep,
  { record }: Pick<PerformedCall, 'record'>,
): PlanStepReport {
  const step = { description, command, danger, reversible, expectedEffect }
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
