import { CmdopError, Restrictions, RunPolicy } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { type JournalEntry, journalVersion, type StoredEntry } from '../ports/journal.ts'

/** An entry with the time at which it was durable. */
export interface ReadEntry {
  readonly at: string
  readonly entry: JournalEntry
}

/**
 * Entries as this version knows them, whatever version wrote them. Throws `unsupported` for those of a later version, and
 * `integrity` for what is no entry.
 */
export function readEntries(stored: readonly StoredEntry[]): ReadEntry[] {
  return stored.map(({ at, entry }, index) => ({ at, entry: readEntry(entry, index) }))
}

function readEntry(entry: unknown, index: number): JournalEntry {
  const version = Versioned.safeParse(entry)
  if (version.success && version.data.v > journalVersion) {
    throw new CmdopError(
      'unsupported',
      `The run was written by a newer version (entry ${index} has form ${version.data.v}, this one reads up to ${journalVersion}); go on with that one.`,
      { details: { version: version.data.v, known: journalVersion } },
    )
  }
  const parsed = version.success ? EntryV1.safeParse(entry) : version
  // Validated here; messages and records are what this package wrote, and are passed on as they are.
  if (parsed.success) return entry as JournalEntry
  throw new CmdopError('integrity', `Entry ${index} is none of a run's journal: ${z.prettifyError(parsed.error)}`)
}

const Versioned = z.looseObject({ v: z.int().min(1) })

const base = { v: z.literal(1), runId: z.string(), at: z.string() }
const messages = z.array(z.looseObject({ role: z.string() }))
const limit = z.number().optional()

/** Form 1. What is not named here is kept. It is never changed; a later form gets a schema of its own and a way to it. */
const EntryV1 = z.discriminatedUnion('type', [
  z.looseObject({
    ...base,
    type: z.literal('run_started'),
    agentType: z.string(),
    machineId: z.string(),
    model: z.string(),
    title: z.string(),
    messages,
    nonce: z.string(),
    toolsDigest: z.string(),
    tools: z.record(z.string(), z.string()),
    schemaDigest: z.string(),
    schema: z.record(z.string(), z.unknown()).nullable(),
    settings: z.looseObject({
      budget: z.looseObject({ steps: limit, tokens: limit, usd: limit, seconds: limit, outputBytes: limit }),
      maxRepairs: z.int(),
      evidence: z.boolean(),
      builtInTools: z.array(z.string()).optional(),
      readOnlyTools: z.array(z.string()).optional(),
      tainted: z.boolean().optional(),
      policy: RunPolicy.optional(),
      restrictions: z.array(Restrictions).optional(),
      asks: z.enum(['always', 'changes']).optional(),
    }),
  }),
  z.looseObject({ ...base, type: z.literal('run_resumed'), writer: z.string() }),
  z.looseObject({ ...base, type: z.literal('step_started'), step: z.int() }),
  z.looseObject({
    ...base,
    type: z.literal('step_ended'),
    step: z.looseObject({
      index: z.int(),
      text: z.string(),
      finishReason: z.string(),
      usage: z.record(z.string(), z.number().nullable()),
      durationMs: z.number(),
    }),
    messages,
    calls: z.array(z.looseObject({ toolCallId: z.string(), tool: z.string(), unreadable: z.boolean() })).optional(),
  }),
  z.looseObject({
    ...base,
    type: z.literal('call_started'),
    label: z.string(),
    toolCallId: z.string(),
    tool: z.string(),
    digest: z.string(),
    callId: z.string(),
    sessionId: z.string().optional(),
    asked: z.boolean().optional(),
  }),
  z.looseObject({
    ...base,
    type: z.literal('call_ended'),
    label: z.string(),
    text: z.string(),
    call: z.looseObject({ toolCallId: z.string(), tool: z.string(), outcome: z.string(), isError: z.boolean() }),
    shownBytes: z.number(),
    carried: z
      .looseObject({ directory: z.string().nullable(), hasVariables: z.boolean(), sessionId: z.string().nullable() })
      .nullable(),
    denial: z
      .looseObject({ digest: z.string(), rule: z.string(), reason: z.string(), repeats: z.int(), text: z.string() })
      .optional(),
    effects: z.array(z.looseObject({ effectId: z.string(), state: z.string(), hash: z.string() })).optional(),
  }),
  z.looseObject({ ...base, type: z.literal('run_stopped'), status: z.string(), code: z.string() }),
  z.looseObject({
    ...base,
    type: z.literal('run_ended'),
    status: z.string(),
    code: z.string().nullable(),
    message: z.string().optional(),
  }),
])
