import type { ModelMessage } from 'ai'
import type { RunStatus, StepRecord, ToolCallRecord } from '../run/run-result.ts'

/** Version of the entries' form. Every version ever written can be read. */
export const journalVersion = 1

/**
 * Where a run writes down what it does, before and after. `append` resolves when the entry is durable; when it rejects the
 * run ends, and what the entry announced is not done.
 */
export interface Journal {
  append(entry: JournalEntry): Promise<void>
}

/** One line of a journal. Secrets have been cut out. */
export type JournalEntry = {
  readonly v: typeof journalVersion
  readonly runId: string
  readonly at: string
} & JournalFact

/** What it says. */
export type JournalFact =
  /** The run begins. `toolsDigest` and `schemaDigest` must be the same where it is resumed. */
  | {
      readonly type: 'run_started'
      readonly agentType: string
      readonly machineId: string
      readonly model: string
      readonly messages: readonly ModelMessage[]
      readonly nonce: string
      readonly toolsDigest: string
      readonly schemaDigest: string
    }
  /** The model is asked. */
  | { readonly type: 'step_started'; readonly step: number }
  /** What it answered: its turn for the conversation, whole. */
  | { readonly type: 'step_ended'; readonly step: StepRecord; readonly messages: readonly ModelMessage[] }
  /** The gate allowed a call and it runs next. `label` is unique in the run. */
  | {
      readonly type: 'call_started'
      readonly label: string
      readonly toolCallId: string
      readonly tool: string
      readonly input: unknown
      readonly digest: string
    }
  /** The call ended; `text` is what the model reads. Without it the call was in flight. */
  | { readonly type: 'call_ended'; readonly label: string; readonly text: string; readonly call: ToolCallRecord }
  | { readonly type: 'run_ended'; readonly status: RunStatus; readonly code: string | null; readonly output: unknown }

/** Keeps nothing. */
export const noJournal: Journal = { append: () => Promise.resolve() }

/** A journal in memory, for tests and for a process that wants to look at its own runs. */
export interface MemoryJournal extends Journal {
  readonly entries: readonly JournalEntry[]
}

/** An empty one. Entries are copied, so that they say what was true when they were written. */
export function createMemoryJournal(): MemoryJournal {
  const entries: JournalEntry[] = []
  return { entries, append: async (entry) => void entries.push(structuredClone(entry)) }
}
