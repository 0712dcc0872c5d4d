import type { EffectSummary, Restrictions } from '@cmdop/core'
import { CmdopError, type RunPolicy } from '@cmdop/protocol'
import type { ModelMessage } from 'ai'
import type { Denial } from '../calls/call-end.ts'
import type { ProposedCall } from '../model/model-step.ts'
import type { JsonSchema } from '../output/json-schema.ts'
import type { Budget } from '../run/budget.ts'
import type { Carried } from '../run/carried-state.ts'
import type { RunStatus, StepRecord, ToolCallRecord } from '../run/run-result.ts'

/** Version of the entries' form. Every version ever written can be read. */
export const journalVersion = 1

/**
 * Where a run writes down what it does, before and after. `append` resolves when the entry is durable; when it rejects the
 * run ends, and what the entry announced is not done. It may be called again before it has resolved: the order of the
 * calls is the order of the entries.
 */
export interface Journal {
  /** Whether whoever keeps it judges the calls of a run by the policy in its `run_started`. Absent: nobody does. */
  readonly isJudging?: boolean
  append(entry: JournalEntry, place: JournalPlace): Promise<void>
  /** The same for what nothing waits for: it may be written a little later, with others. Absent: `append` is called. */
  note?(entry: JournalEntry, place: JournalPlace): Promise<void>
  /** The entries of a run in order, for `resume` and `replay`. Throws `not_found`. Absent: runs cannot be gone on with. */
  read?(runId: string): Promise<readonly StoredEntry[]>
}

/**
 * Where an entry goes. Who goes on with a run writes after the entries that it read, so that of two who work on one run the
 * second to write at a place is to be refused with `conflict`: that one stops.
 */
export interface JournalPlace {
  /** Of whoever works on the run, and of nobody else: also who goes on with it in the same process has another one. */
  readonly writer: string
  /** Entries of the run before this one. */
  readonly index: number
  /** Aborted when the run is stopped: what cannot be written soon then need not be written. */
  readonly signal: AbortSignal
}

/** An entry as it was stored, in whatever version it was written. */
export interface StoredEntry {
  /** When it was durable, ISO 8601, by the clock of whoever keeps it. */
  readonly at: string
  readonly entry: unknown
}

/** One line of a journal. Secrets have been cut out. */
export type JournalEntry = {
  readonly v: typeof journalVersion
  readonly runId: string
  readonly at: string
} & JournalFact

/** What it says. */
export type JournalFact =
  | RunStarted
  /** Somebody goes on with the run; from here on only that one writes. */
  | { readonly type: 'run_resumed'; readonly writer: string }
  /** The model is asked. */
  | { readonly type: 'step_started'; readonly step: number }
  | StepEnded
  | CallStarted
  | CallEnded
  /** The run stopped for a reason that may pass, or for a person: it can be resumed. */
  | { readonly type: 'run_stopped'; readonly status: RunStatus; readonly code: string }
  | RunEnded

/** The run begins. Where it is resumed, tools and schema must be the same. */
export interface RunStarted {
  readonly type: 'run_started'
  readonly agentType: string
  readonly machineId: string
  readonly model: string
  /** What it is for, shortened. */
  readonly title: string
  readonly messages: readonly ModelMessage[]
  readonly nonce: string
  readonly toolsDigest: string
  /** A digest for each tool by its name. */
  readonly tools: Readonly<Record<string, string>>
  readonly schemaDigest: string
  /** As the model is shown it; null: a text is the answer. */
  readonly schema: JsonSchema | null
  readonly settings: KeptSettings
}

/** What of a run's options it is resumed with. */
export interface KeptSettings {
  readonly budget: Budget
  readonly maxRepairs: number
  readonly evidence: boolean
  readonly builtInTools?: readonly string[] | undefined
  readonly readOnlyTools?: readonly string[] | undefined
  /** It began with data that looks like instructions; absent: it did not. */
  readonly tainted?: boolean | undefined
  /** By which the relay judges its calls; absent: by those of fleet and machine alone. */
  readonly policy?: RunPolicy | undefined
  /** All of them held; absent: there were none. */
  readonly restrictions?: readonly Restrictions[] | undefined
  /** About which calls people were asked beside the policy; absent: about none. */
  readonly asks?: 'always' | 'changes' | undefined
}

/** What the model answered: its turn for the conversation, whole. */
export interface StepEnded {
  readonly type: 'step_ended'
  readonly step: StepRecord
  readonly messages: readonly ModelMessage[]
  /** Absent: they are what the messages say. */
  readonly calls?: readonly ProposedCall[] | undefined
}

/** The gate allowed a call and it runs next. */
export interface CallStarted {
  readonly type: 'call_started'
  /** Unique in the run. */
  readonly label: string
  readonly toolCallId: string
  readonly tool: string
  readonly input: unknown
  readonly digest: string
  /** Under which the machine knows it, if it is a command. */
  readonly callId: string
  /** The session in whose view it works; absent: in none. */
  readonly sessionId?: string | undefined
  /** Whether a person had to approve what the machine does; absent: it was not asked for. */
  readonly asked?: boolean | undefined
}

/** The call ended; `text` is what the model reads. A call that was started and has none of this was in flight. */
export interface CallEnded {
  readonly type: 'call_ended'
  readonly label: string
  readonly text: string
  readonly call: ToolCallRecord
  readonly shownBytes: number
  /** What carries over to the next command; null: nothing has yet. */
  readonly carried: Carried | null
  /** Where the gate denied it. */
  readonly denial?: Denial | undefined
  /** What became known of changes under restrictions since the call before. */
  readonly effects?: readonly EffectSummary[] | undefined
}

/** The run is over. */
export interface RunEnded {
  readonly type: 'run_ended'
  readonly status: RunStatus
  readonly code: string | null
  readonly message?: string | undefined
  readonly output: unknown
}

/** Keeps nothing. */
export const noJournal: Journal = { append: () => Promise.resolve() }

/** A journal in memory, for tests and for a process that wants to look at its own runs. */
export interface MemoryJournal extends Journal {
  readonly entries: readonly JournalEntry[]
}

/** An empty one. Entries are copied, so that they say what was true when they were written. */
export function createMemoryJournal(): MemoryJournal {
  const entries: JournalEntry[] = []
  const counts = new Map<string, number>()
  return {
    entries,
    append: async (entry, { index }) => {
      const { runId } = entry
      if (index !== (counts.get(runId) ?? 0))
        throw new CmdopError('conflict', `Somebody else has written to the journal of the run ${runId} meanwhile.`)
      counts.set(runId, index + 1)
      entries.push(structuredClone(entry))
    },
    read: async (runId) =>
      entries
        .filter((entry) => entry.runId === runId)
        .map((entry) => ({ at: entry.at, entry: structuredClone(entry) })),
  }
}
