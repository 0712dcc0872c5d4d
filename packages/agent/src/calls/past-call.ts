import { CmdopError } from '@cmdop/protocol'
import { drift, steadyText } from '../journal/drift.ts'
import { firstDifference } from '../journal/first-difference.ts'
import type { ProposedCall } from '../model/model-step.ts'
import type { CallEnded, CallStarted } from '../ports/journal.ts'
import type { Tool } from '../tools/tool.ts'
import type { CallContext } from './call-context.ts'
import { type CallEnd, failedCall } from './call-end.ts'
import { callDigest, editNote, type PermittedCall } from './pass-gate.ts'
import type { PerformedCall } from './perform-call.ts'

/** Takes a call from the journal, with what it came to. Throws `conflict` for one that is another call. */
export function recall(call: ProposedCall, ended: CallEnded, context: CallContext): PerformedCall {
  const { state, task, denials, workplace } = context
  const { call: record, text, shownBytes, denial, carried, effects = [] } = ended
  if (record.tool !== call.tool || record.toolCallId !== call.toolCallId)
    throw drift(
      record.label,
      `the run calls ${call.tool} (${call.toolCallId}), it called ${record.tool} (${record.toolCallId})`,
    )
  if (denial !== undefined) {
    const { digest, rule, reason, remedy, repeats } = denial
    const { toolCallId, tool, input } = record
    if (repeats === 0) state.denied.push({ toolCallId, tool, input, rule, reason, remedy })
    denials.set(digest, denial)
  }
  if (carried !== null) workplace.restore(carried)
  for (const effect of effects) workplace.effects.add(effect)
  workplace.effects.takeNew()
  state.addToolCall(record)
  task.ledger.addOutput(shownBytes)
  return { record, text }
}

/** Throws `conflict`, with the difference, where a call that was made again came to something else. */
export function comparePast({ text, call }: CallEnded, performed: PerformedCall): void {
  const difference = firstDifference(steadyText(text), steadyText(performed.text))
  if (difference !== undefined) throw drift(call.label, difference)
}

/**
 * What the gate has let through before: the model's input, or a person's version of it. undefined: it is neither, because a
 * secret was cut out of it.
 */
export async function passedBefore(
  tool: Tool,
  call: ProposedCall,
  { started, machineId }: { started: CallStarted; machineId: string },
): Promise<PermittedCall | undefined> {
  for (const [candidate, note] of [
    [call.input, undefined],
    [started.input, editNote(started.input)],
  ] as const) {
    try {
      const input = await tool.parse(candidate)
      if (callDigest(machineId, tool.name, input) === started.digest)
        return { permitted: true, input, digest: () => started.digest, note, ask: started.asked }
    } catch {
      // The other one may fit.
    }
  }
  return undefined
}

/** A call that was in flight, and of which nobody can say what became. */
export function inDoubt(tool: string): CallEnd {
  const fatal = new CmdopError(
    'unknown',
    `What became of a call of ${tool} that was in flight is not known, so it was not made again. Look at what it did before you repeat it.`,
  )
  return { ...failedCall(`unknown: ${fatal.message}`, 'unknown'), fatal }
}
