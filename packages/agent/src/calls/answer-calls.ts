import type { ModelMessage } from 'ai'
import type { ProposedCall } from '../model/model-step.ts'
import { validName } from '../model/turn.ts'
import { type AnswerDesk, finalResult, type Verdict } from '../run/answer.ts'
import type { ProgressEvent } from '../run/run-events.ts'
import type { CallContext } from './call-context.ts'
import { merged } from './merged.ts'
import { type PerformedCall, performCall } from './perform-call.ts'

/** Calls of one step that run side by side at most. */
const maxSideBySide = 8

type ToolPart = Extract<ModelMessage, { role: 'tool' }>['content'][number]
type Accepted = Extract<Verdict, { accepted: true }>

/** What the calls of one step came to: their results for the conversation, and the answer if there is one. */
export interface AnsweredCalls {
  /** One for each call, in order; providers refuse a conversation in which one is missing. */
  readonly parts: ToolPart[]
  readonly accepted: Accepted | undefined
}

/** How a step takes an answer. */
interface AnswerTaking {
  readonly desk: AnswerDesk
  /** Whether an answer comes as a call at all. */
  readonly typed: boolean
  /** What has to come before an answer; undefined: it may come now. */
  readonly missing: string | undefined
}

/** Performs the calls of a step in their order; those that change nothing run side by side where they stand together. */
export async function* answerCalls(
  calls: readonly ProposedCall[],
  { desk, typed, missing }: AnswerTaking,
  context: CallContext,
): AsyncGenerator<ProgressEvent, AnsweredCalls, void> {
  const isAnswer = ({ tool }: ProposedCall): boolean => tool === finalResult && typed
  const parts = new Map<ProposedCall, ToolPart>()
  for (const group of groupsOf(
    calls.filter((call) => !isAnswer(call)),
    context,
  )) {
    // Those that run side by side share the room that there is, each its part.
    const outputShare = Math.floor(context.task.ledger.outputRoom / group.length)
    const shared = { ...context, outputShare }
    const performed = yield* merged<ProgressEvent, PerformedCall>(group.map((call) => performCall(call, shared)))
    group.forEach((call, index) => {
      const each = performed[index]
      if (each !== undefined) parts.set(call, toolPart(call, each.text, each.record.isError))
    })
  }
  const [first, ...others] = calls.filter(isAnswer)
  for (const call of others)
    parts.set(call, toolPart(call, 'Only the first call of final_result in a step is read.', true))
  const judged = async (call: ProposedCall): Promise<Verdict> =>
    missing === undefined ? desk.offerCall(call, context.state.toolCalls) : desk.refuse(missing)
  let accepted: Accepted | undefined
  if (first !== undefined) {
    const alone = calls.every(isAnswer) || context.closed !== undefined
    const verdict = alone ? await judged(first) : undefined
    if (verdict?.accepted === true) accepted = verdict
    const reply = verdict === undefined ? tooEarly : verdict.accepted ? 'Accepted.' : verdict.reply
    parts.set(first, toolPart(first, reply, verdict?.accepted !== true))
  }
  return { parts: calls.flatMap((call) => parts.get(call) ?? []), accepted }
}

const tooEarly = 'Not accepted: you had not seen the results of the other calls. Call final_result alone.'

/** Stretches of calls that may run side by side; every other call is alone. */
function groupsOf(calls: readonly ProposedCall[], { tools, task }: CallContext): ProposedCall[][] {
  const shares = (call: ProposedCall): boolean => {
    if (task.type.oneAtATime === true) return false
    const tool = tools.find((each) => each.name === call.tool)
    if (tool === undefined || call.unreadable) return false
    return tool.readOnly || tool.sharesMachine?.(call.input ?? {}) === true
  }
  const groups: ProposedCall[][] = []
  let open = false
  for (const call of calls) {
    const shared = shares(call)
    const last = groups.at(-1)
    if (shared && open && last !== undefined && last.length < maxSideBySide) last.push(call)
    else groups.push([call])
    open = shared
  }
  return groups
}

function toolPart({ toolCallId, tool }: ProposedCall, value: string, isError: boolean): ToolPart {
  const output = { type: isError ? ('error-text' as const) : ('text' as const), value }
  return { type: 'tool-result', toolCallId, toolName: validName(tool), output }
}
