import { drift } from './drift.ts'
import { CmdopError, type ErrorCode, isErrorCode } from '@cmdop/protocol'
import type { ModelMessage } from 'ai'
import type { ProposedCall, StepOutcome } from '../model/model-step.ts'
import type {
  CallEnded,
  CallStarted,
  Journal,
  JournalEntry,
  RunEnded,
  RunStarted,
  StepEnded,
} from '../ports/journal.ts'
import { type ReadEntry, readEntries } from './stored-entries.ts'

/** A call of which it is known that it began, or how it ended. */
export interface PastCall {
  readonly started: (CallStarted & { readonly at: string }) | undefined
  readonly ended: CallEnded | undefined
}

/**
 * What happens beyond what a journal has. `resume`: the run goes on there. `recorded` and `real`: it is played to its end
 * without the model, its calls from the journal or done again.
 */
export type HistoryUse = 'resume' | 'recorded' | 'real'

/** What a run has done before, as its loop takes it instead of doing it. */
export interface History {
  readonly use: HistoryUse
  readonly runId: string
  readonly started: RunStarted
  /** How it ended; undefined: it has not. */
  readonly ended: RunEnded | undefined
  /** Milliseconds in which somebody worked on it. */
  readonly elapsedMs: number
  /** Entries that there were. */
  readonly count: number
  step(index: number): StepEnded | undefined
  call(label: string): PastCall | undefined
}

/** The history in a run's journal. Throws `integrity` when it has no beginning. */
export function createHistory(runId: string, entries: readonly ReadEntry[], use: HistoryUse): History {
  const [first] = entries
  if (first?.entry.type !== 'run_started')
    throw new CmdopError('integrity', `Expected the journal of the run ${runId} to begin with its start.`)
  const steps = new Map<number, StepEnded>()
  const calls = new Map<string, PastCall>()
  let ended: RunEnded | undefined
  for (const { at, entry } of entries) {
    if (entry.type === 'step_ended') steps.set(entry.step.index, entry)
    if (entry.type === 'call_started') calls.set(entry.label, { started: { ...entry, at }, ended: undefined })
    if (entry.type === 'call_ended') calls.set(entry.label, { started: calls.get(entry.label)?.started, ended: entry })
    if (entry.type === 'run_ended') ended = entry
  }
  return {
    use,
    runId,
    started: first.entry,
    ended,
    elapsedMs: elapsed(entries.map(({ entry }) => entry)),
    count: entries.length,
    step: (index) => steps.get(index),
    call: (label) => calls.get(label),
  }
}

/** Whether something may be done on the machine: what is over, or only played from the journal, leaves it alone. */
export function actsOnMachine(history: History | undefined): boolean {
  if (history === undefined || history.use === 'real') return true
  return history.use === 'resume' && history.ended === undefined
}

/** In a run that is over, or that is only played, nothing is done that was not. `where`: its label. */
export function refuseNew(where: string, history: History | undefined): void {
  if (history === undefined || history.use === 'real') return
  if (history.ended !== undefined && history.ended.status !== 'completed') throw endedError(history)
  if (history.ended !== undefined || history.use === 'recorded')
    throw drift(where, 'the run makes a call that has no end in the journal')
}

/** What a step came to. */
export function outcomeOf({ step, messages, calls }: StepEnded): StepOutcome {
  const { text, finishReason, usage } = step
  const said = calls ?? callsIn(messages)
  return { text, finishReason, usage, messages, calls: said.map((call) => ({ ...call, fromJournal: true })) }
}

/** The calls of a step, where its messages do not say them. */
export function callsBeside({ calls, messages }: StepOutcome): Pick<StepEnded, 'calls'> {
  const said = callsIn(messages)
  const same =
    said.length === calls.length &&
    calls.every(
      ({ toolCallId, tool, input, unreadable }, index) =>
        !unreadable &&
        said[index]?.toolCallId === toolCallId &&
        said[index].tool === tool &&
        said[index].input === input,
    )
  return same ? {} : { calls }
}

/** The error of a run that is over. */
export function endedError({ ended, runId }: History): CmdopError {
  const code: ErrorCode = isErrorCode(ended?.code) ? ended.code : 'server'
  return new CmdopError(code, ended?.message ?? `The run ${runId} is over.`)
}

function callsIn(messages: readonly ModelMessage[]): ProposedCall[] {
  return messages.flatMap(({ role, content }) =>
    role !== 'assistant' || typeof content === 'string'
      ? []
      : content.flatMap((part) =>
          part.type === 'tool-call'
            ? [{ toolCallId: part.toolCallId, tool: part.toolName, input: part.input, unreadable: false }]
            : [],
        ),
  )
}

/** The time between a stop, or a death, and the resumption is nobody's. */
function elapsed(entries: readonly JournalEntry[]): number {
  let sum = 0
  for (const [index, { at, type }] of entries.entries()) {
    const before = entries[index - 1]
    if (before !== undefined && type !== 'run_resumed') sum += Math.max(0, Date.parse(at) - Date.parse(before.at))
  }
  return sum
}

/** That of a run in an agent's journal. Throws `unsupported` for a journal that cannot be read, `not_found`, and `conflict` for what cannot be played. */
export async function historyOf(
  { journal }: { readonly journal: Journal },
  runId: string,
  use: HistoryUse,
): Promise<History> {
  if (journal.read === undefined)
    throw new CmdopError('unsupported', 'The journal of this agent cannot be read, so no run can be gone on with.')
  const entries = readEntries(await journal.read(runId))
  if (entries.length === 0) throw new CmdopError('not_found', `There is no run ${runId} in the journal of this agent.`)
  const history = createHistory(runId, entries, use)
  if (use === 'resume' || history.ended?.status === 'completed') return history
  throw new CmdopError('conflict', `The run ${runId} has no answer, so it cannot be played; resume it.`)
}
