import { CmdopError } from '@cmdop/protocol'
import type { ModelMessage, ToolSet } from 'ai'
import {
  createModelStep,
  type ModelStep,
  type ProposedCall,
  type StepOutcome,
  toolSet,
  validName,
} from '../model/model-step.ts'
import { machineTools } from '../tools/machine-tools.ts'
import { type AnswerDesk, finalResult, type Verdict } from './answer.ts'
import { overBudget } from './budget.ts'
import { instructionsFor } from './prompt.ts'
import type { ProgressEvent } from './run-events.ts'
import type { RunState } from './run-state.ts'
import { noToolLeft, runTool } from './run-tool.ts'
import type { Task } from './task.ts'
import type { Workplace } from './workplace.ts'

/** Most bytes of output that one call shows to the model. */
const callOutputBytes = 16_384

type Accepted = Extract<Verdict, { accepted: true }>
type ToolPart = Extract<ModelMessage, { role: 'tool' }>['content'][number]

/** What a run works with. */
interface Operation {
  readonly state: RunState
  readonly desk: AnswerDesk
  readonly workplace: Workplace
  readonly signal: AbortSignal
}

/**
 * The loop: ask the model, run what it asks for one call at a time, show it the results, until it gives an answer that
 * fits. Ours is the only path from a model to the machine. Throws what ends the run; `signal` ends it from outside.
 */
export async function* operate(
  task: Task,
  { state, desk, workplace, signal }: Operation,
): AsyncGenerator<ProgressEvent, Accepted, void> {
  const typed = task.schema !== undefined
  const tools = toolSet(machineTools)
  const answer = task.schema === undefined ? {} : answerTool(task.schema.toolSchema)
  const instructions = instructionsFor(task.machine, task.fence, typed)
  const ask = createModelStep({ ...task, instructions, followed: finalResult })
  const messages: ModelMessage[] = [{ role: 'user', content: task.firstMessage }]
  for (;;) {
    signal.throwIfAborted()
    refuseOverBudget(task, state)
    const last = state.steps.length === task.budget.steps - 1
    if (last) addToLast(messages, lastStepMessage(typed))
    const started = performance.now()
    const request = { messages, tools: last && typed ? answer : { ...tools, ...answer }, signal }
    const outcome = yield* shown(ask(request), task)
    state.addStep(outcome, performance.now() - started)
    yield { type: 'usage', usage: state.usage }
    signal.throwIfAborted()
    messages.push(...outcome.messages)
    const verdict =
      outcome.calls.length === 0
        ? await offerText(desk, outcome, messages)
        : yield* answerCalls(outcome.calls, messages, { task, state, desk, workplace, signal, last })
    if (verdict !== undefined) return verdict
  }
}

/** The pieces of a step, with a partial answer as the caller's schema has it. */
async function* shown(step: ReturnType<ModelStep>, { schema }: Task): AsyncGenerator<ProgressEvent, StepOutcome, void> {
  for (;;) {
    const { done, value } = await step.next()
    if (done === true) return value
    const output = value.type === 'partial' ? schema?.partial(value.output) : undefined
    if (value.type !== 'partial') yield value
    else if (output !== undefined) yield { type: 'partial', output }
  }
}

function answerTool(schema: NonNullable<Task['schema']>['toolSchema']): ToolSet {
  const description =
    'Gives the final answer and ends the work. Call it alone, once, when every value is known from the tools.'
  return toolSet([{ name: finalResult, description, inputSchema: schema }])
}

function lastStepMessage(typed: boolean): string {
  return typed
    ? `This is the last step: call ${finalResult} now, with what you know. There is no other tool left.`
    : 'This is the last step: answer in text now, with what you know. No tool runs any more.'
}

/** Adds to the last message instead of making another: many chat templates want the roles to alternate. */
function addToLast(messages: ModelMessage[], text: string): void {
  const message = messages.at(-1)
  if (message?.role === 'user' && typeof message.content === 'string') message.content += `\n\n${text}`
  const output = message?.role === 'tool' ? lastOutput(message.content) : undefined
  if (output?.type === 'text' || output?.type === 'error-text') output.value += `\n\n${text}`
}

function lastOutput(content: ToolPart[]) {
  const part = content.at(-1)
  return part?.type === 'tool-result' ? part.output : undefined
}

/** The budget is checked before each call of the model, so that a run never spends more than one step beyond it. */
function refuseOverBudget({ budget, source }: Task, state: RunState): void {
  const { steps, usage } = state
  if (steps.length >= budget.steps) throw overBudget('steps', steps.length, budget.steps)
  if (budget.tokens === undefined || steps.length === 0) return
  if (usage.totalTokens === null) {
    const { provider, id } = source.identity
    throw new CmdopError(
      'unsupported',
      `The server of ${provider}:${id} reports no tokens, so budget.tokens cannot be kept. Use budget.steps.`,
    )
  }
  if (usage.totalTokens >= budget.tokens) throw overBudget('tokens', usage.totalTokens, budget.tokens)
}

async function offerText(
  desk: AnswerDesk,
  outcome: StepOutcome,
  messages: ModelMessage[],
): Promise<Accepted | undefined> {
  const verdict = await desk.offerText(outcome.text)
  if (verdict.accepted) return verdict
  messages.push({ role: 'user', content: verdict.reply })
  return undefined
}

interface CallContext extends Operation {
  readonly task: Task
  /** The reserved step: only the answer counts. */
  readonly last: boolean
}

/** Every call gets its result, in order; providers refuse a conversation in which one is missing. */
async function* answerCalls(
  calls: readonly ProposedCall[],
  messages: ModelMessage[],
  context: CallContext,
): AsyncGenerator<ProgressEvent, Accepted | undefined, void> {
  const content: ToolPart[] = []
  const first = calls.find((call) => isAnswer(call, context))
  for (const call of calls) {
    if (!isAnswer(call, context)) content.push(yield* work(call, context))
    else if (call !== first) content.push(result(call, 'Only the first call of final_result in a step is read.', true))
    else if (calls.some((each) => !isAnswer(each, context)) && !context.last) {
      content.push(
        result(call, 'Not accepted: you had not seen the results of the other calls. Call final_result alone.', true),
      )
    } else {
      const verdict = await context.desk.offerCall(call.input)
      if (verdict.accepted) return verdict
      content.push(result(call, verdict.reply, true))
    }
  }
  messages.push({ role: 'tool', content })
  return undefined
}

function isAnswer(call: ProposedCall, { task }: CallContext): boolean {
  return call.tool === finalResult && task.schema !== undefined
}

async function* work(
  call: ProposedCall,
  { task, state, workplace, signal, last }: CallContext,
): AsyncGenerator<ProgressEvent, ToolPart, void> {
  const { toolCallId, tool, input } = call
  yield { type: 'tool_call', tool, toolCallId, input }
  signal.throwIfAborted()
  const { machine, fence, budget } = task
  const room = budget.outputBytes === undefined ? callOutputBytes : budget.outputBytes - state.shownBytes
  if (room <= 0) throw overBudget('outputBytes', state.shownBytes, budget.outputBytes ?? 0)
  const started = performance.now()
  const limitBytes = Math.min(room, callOutputBytes)
  const end = last ? noToolLeft : await runTool(machineTools, call, { machine, workplace, fence, signal, limitBytes })
  const { output, isError } = end
  state.shownBytes += end.shownBytes
  const step = state.steps.length - 1
  state.addToolCall({ toolCallId, tool, input, output, isError, step, durationMs: performance.now() - started })
  yield { type: 'tool_result', tool, toolCallId, output, isError }
  return result(call, end.text, isError)
}

function result(call: ProposedCall, value: string, isError: boolean): ToolPart {
  const output = { type: isError ? ('error-text' as const) : ('text' as const), value }
  return { type: 'tool-result', toolCallId: call.toolCallId, toolName: validName(call.tool), output }
}
