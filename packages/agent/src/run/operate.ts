import { CmdopError } from '@cmdop/protocol'
import type { ModelMessage, ToolSet } from 'ai'
import type { Offer } from '../agent-types/agent-type.ts'
import { answerCalls } from '../calls/answer-calls.ts'
import type { CallContext } from '../calls/call-context.ts'
import { createOutputShelf } from '../context/output-shelf.ts'
import { drift } from '../journal/drift.ts'
import { actsOnMachine, callsBeside, endedError, outcomeOf } from '../journal/history.ts'
import { createModelStep, type ModelStep, type StepOutcome, toolSet } from '../model/model-step.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { Tool } from '../tools/tool.ts'
import { type AnswerDesk, finalResult, type Verdict } from './answer.ts'
import { overBudget, type Spent } from './budget.ts'
import { costOf } from './prices.ts'
import { instructionsFor } from './prompt.ts'
import type { ProgressEvent } from './run-events.ts'
import type { RunState } from './run-state.ts'
import type { Task } from './task.ts'
import type { Workplace } from './workplace.ts'
import { writeStart } from './write-start.ts'

/** An answer that fits. */
export type Accepted = Extract<Verdict, { accepted: true }>

/** What a run works with, beside its task. */
export interface WorkContext {
  readonly state: RunState
  readonly desk: AnswerDesk
  readonly workplace: Workplace
  /** Ends the run from outside. */
  readonly signal: AbortSignal
  readonly telemetry: Telemetry
}

/** Works until there is an answer. Throws what ends the run. */
export type Work = (task: Task, context: WorkContext) => AsyncGenerator<ProgressEvent, Accepted, void>

/**
 * The loop: ask the model, perform what it asks for, show it the results, until it gives an answer that fits. Ours is the
 * only path from a model to the machine.
 */
export const operate: Work = async function* (task, context) {
  await using opened = await task.openTools(context.signal)
  if (actsOnMachine(task.history) && opened.tools.some(({ usesMachine }) => usesMachine !== false))
    await context.workplace.open(context.signal)
  const loop = createLoop(task, context, opened.tools)
  await writeStart(task, context.state, opened)
  for (;;) {
    const accepted = yield* step(loop)
    if (accepted !== undefined) return accepted
  }
}

const everything: Offer = { tools: true, answer: true }

interface Loop extends WorkContext {
  readonly task: Task
  readonly tools: readonly Tool[]
  readonly calls: Omit<CallContext, 'closed'>
  readonly workTools: ToolSet
  readonly answerTools: ToolSet
  readonly ask: ModelStep
  /** The limit that is reached; the next step is the last. */
  spent: Spent | undefined
}

function createLoop(task: Task, context: WorkContext, tools: readonly Tool[]): Loop {
  const { state, workplace, signal, telemetry } = context
  const typed = task.schema !== undefined
  return {
    ...context,
    task,
    tools,
    calls: { task, state, tools, workplace, signal, telemetry, shelf: createOutputShelf(), denials: new Map() },
    workTools: toolSet(tools),
    answerTools: task.schema === undefined ? {} : answerTool(task.schema),
    ask: createModelStep({
      ...task,
      instructions: instructionsFor({ ...task, restrictions: workplace.restrictions }, tools.length > 0, typed),
      followed: finalResult,
    }),
    spent: undefined,
  }
}

async function* step(loop: Loop): AsyncGenerator<ProgressEvent, Accepted | undefined, void> {
  const { task, state, signal, desk } = loop
  signal.throwIfAborted()
  closeWhenSpent(loop)
  const typed = task.schema !== undefined
  const last = loop.spent !== undefined
  const offer: Offer = last ? { tools: !typed, answer: true } : (task.type.offer?.(state) ?? everything)
  if (last) addToLast(state.messages, lastStepMessage(typed))
  const outcome = pastStep(loop) ?? (yield* newStep(loop, offer))
  task.ledger.addStep(outcome.usage, costOf(outcome.usage, task.price))
  state.messages.push(...outcome.messages)
  yield { type: 'usage', usage: state.usage, cost: task.ledger.cost }
  signal.throwIfAborted()
  if (outcome.finishReason === 'content-filter') throw refused(outcome.text, task)
  if (outcome.calls.length === 0) return offered(offer, outcome, { state, desk, typed })
  const closed = last ? 'this is the last step, and it takes only the answer.' : undefined
  const { parts, accepted } = yield* answerCalls(
    outcome.calls,
    { desk, typed, missing: offer.missing },
    { ...loop.calls, closed },
  )
  state.messages.push({ role: 'tool', content: parts })
  if (accepted === undefined && state.approvals.length > 0) throw approvalNeeded(task, state)
  return accepted
}

/** A step that was taken before; undefined: the next one is new. Throws what ended the run, where nothing is new. */
function pastStep({ task, state }: Loop): StepOutcome | undefined {
  const { history } = task
  const past = history?.step(state.steps.length)
  if (history === undefined) return undefined
  if (past !== undefined) {
    const outcome = outcomeOf(past)
    state.addStep(outcome, past.step.durationMs)
    return outcome
  }
  if (history.ended !== undefined && history.ended.status !== 'completed') throw endedError(history)
  if (history.ended !== undefined || history.use !== 'resume')
    throw drift(`step ${state.steps.length}`, 'the run asks for a step that it did not take')
  return undefined
}

async function* newStep(loop: Loop, offer: Offer): AsyncGenerator<ProgressEvent, StepOutcome, void> {
  const { task, state, signal, telemetry } = loop
  task.journal.note(state.runId, { type: 'step_started', step: state.steps.length })
  const started = performance.now()
  const span = telemetry.startStep()
  const tools = { ...(offer.tools ? loop.workTools : {}), ...(offer.answer ? loop.answerTools : {}) }
  let outcome: StepOutcome
  try {
    outcome = yield* shown(loop.ask({ messages: state.messages, tools, signal }), loop)
  } catch (error) {
    span.fail(error)
    throw error
  }
  span.end(outcome)
  const record = state.addStep(outcome, performance.now() - started)
  if (task.journal.isKept) {
    // Nothing is done because of it before the call that does it is written down, and this with it.
    const said = { type: 'step_ended' as const, step: record, messages: outcome.messages, ...callsBeside(outcome) }
    task.journal.note(state.runId, task.redactor.value(said) as typeof said)
  }
  return outcome
}

const cutOff =
  'The answer was cut off at the limit of output tokens of the model server. Give the whole of it again, in fewer words.'

/** The answer in a text, or a message that says what is missing. */
async function offered(
  { missing }: Offer,
  { text, finishReason }: StepOutcome,
  { state, desk, typed }: Pick<Loop, 'state' | 'desk'> & { readonly typed: boolean },
): Promise<Accepted | undefined> {
  const issue = missing ?? (finishReason === 'length' && !typed ? cutOff : undefined)
  const verdict = issue === undefined ? await desk.offerText(text, state.toolCalls) : desk.refuse(issue)
  if (verdict.accepted) return verdict
  state.messages.push({ role: 'user', content: verdict.reply })
  return undefined
}

/**
 * The budget is checked before each call of the model. When a limit is reached, one more step is there for the answer and
 * for nothing else; when that one gave none, the run is over.
 */
function closeWhenSpent(loop: Loop): void {
  const { task, state } = loop
  if (loop.spent !== undefined) throw overBudget(loop.spent)
  refuseUncounted(task)
  loop.spent = task.ledger.spent(task.history?.step(state.steps.length) !== undefined)
  state.stoppedBy = loop.spent?.limit ?? null
}

function refuseUncounted({ source, ledger: { uncounted } }: Task): void {
  if (uncounted === undefined) return
  const { provider, id } = source.identity
  throw new CmdopError(
    'unsupported',
    `The server of ${provider}:${id} reports no tokens, so budget.${uncounted} cannot be kept. Use budget.steps.`,
  )
}

/** The pieces of a step, with a partial answer as the caller's schema has it. */
async function* shown(
  asked: ReturnType<ModelStep>,
  { task, state }: Pick<Loop, 'task' | 'state'>,
): AsyncGenerator<ProgressEvent, StepOutcome, void> {
  for (;;) {
    const { done, value } = await asked.next()
    if (done === true) return value
    if (value.type !== 'partial') {
      yield value
      continue
    }
    const output = task.schema?.partial(value.output)
    if (output === undefined) continue
    state.partial = output
    yield { type: 'partial', output }
  }
}

function answerTool({ toolSchema, strict }: NonNullable<Task['schema']>): ToolSet {
  const description =
    'Gives the final answer and ends the work. Call it alone, once, when every value is known from the tools.'
  return toolSet([{ name: finalResult, description, inputSchema: toolSchema, strict }])
}

function lastStepMessage(typed: boolean): string {
  return typed
    ? `This is the last step: call ${finalResult} now, with what you know. There is no other tool left.`
    : 'This is the last step: answer in text now, with what you know. No tool runs any more.'
}

/** Adds to the last message instead of making another: many chat templates want the roles to alternate. */
function addToLast(messages: ModelMessage[], text: string): void {
  const message = messages.at(-1)
  if (message?.role === 'user' && typeof message.content === 'string') {
    messages[messages.length - 1] = { ...message, content: `${message.content}\n\n${text}` }
  }
  const part = message?.role === 'tool' ? message.content.at(-1) : undefined
  const output = part?.type === 'tool-result' ? part.output : undefined
  if (output?.type === 'text' || output?.type === 'error-text') output.value += `\n\n${text}`
}

/** Its words are in the record, as text; so is what they cost. */
function refused(text: string, { source }: Task): CmdopError {
  const { provider, id } = source.identity
  const said = text.trim() === '' ? '' : `: ${text.trim().slice(0, 500)}`
  return new CmdopError(
    'model_refused',
    `The model ${provider}:${id} refused, or its content filter stopped the answer${said}`,
  )
}

/** The error of a run that does not wait for a person. One that is written down is gone on with, and never begun again. */
export function approvalNeeded({ journal }: Pick<Task, 'journal'>, { approvals, runId }: RunState): CmdopError {
  const ids = [...new Set(approvals.map(({ approvalId }) => approvalId))]
  const next = journal.isKept ? `Resume the run ${runId}` : 'Run again'
  return new CmdopError(
    'permission',
    `The run needs an approval and does not wait for it: ${ids.join(', ')}. ${next} when it is given.`,
    {
      details: { approvals },
    },
  )
}
