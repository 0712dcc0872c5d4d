import { z } from 'zod'

/** Bytes of one entry of a run's journal at most, as JSON. */
export const MAX_RUN_ENTRY_BYTES = 4 * 1024 * 1024

/** Entries in one `POST /api/runs/:run/entries` at most. */
export const MAX_RUN_APPEND_ENTRIES = 100

/** Bytes of the body of such a request at most. */
export const MAX_RUN_APPEND_BYTES = 8 * 1024 * 1024

/** Entries and bytes of the whole journal of one run at most; over them it is `no_space`. */
export const MAX_RUN_ENTRIES = 50_000
export const MAX_RUN_BYTES = 64 * 1024 * 1024

/** Bytes of entries in one answer, if it has more than one entry. */
export const RUN_PAGE_BYTES = 4 * 1024 * 1024

/** Id of a run, made by whoever starts it. */
export const RunId = z.uuid()

/** One entry of a run's journal. The relay keeps it as it is, and reads of it only how the run stands. */
export const RunEntry = z.looseObject({
  /** Version of its form. */
  v: z.number().int().min(1),
  type: z.string().min(1).max(64),
})
export type RunEntry = z.infer<typeof RunEntry>

/** How a run stands. `running`: also one whose script is gone without a word. */
export const RunState = z.enum(['running', 'completed', 'partial', 'needs_approval', 'budget', 'cancelled', 'failed'])
export type RunState = z.infer<typeof RunState>

/** Rules in the policy of one run, and bytes of it as JSON, at most. */
export const MAX_RUN_RULES = 200
const MAX_RUN_POLICY_BYTES = 65_536

/**
 * The policy of one run, beside those of its fleet and machine. Who asks for the run writes it, so it only tightens: its rules ask or
 * deny, and are otherwise those of `docs/policy.md`.
 */
export const RunPolicy = z
  .strictObject({
    mode: z.enum(['default', 'strict']).optional(),
    rules: z.array(z.record(z.string(), z.unknown())).max(MAX_RUN_RULES).optional(),
  })
  .refine(
    (policy) => new TextEncoder().encode(JSON.stringify(policy)).length <= MAX_RUN_POLICY_BYTES,
    `Expected a policy of at most ${MAX_RUN_POLICY_BYTES} bytes.`,
  )
export type RunPolicy = z.infer<typeof RunPolicy>

/** Body of `POST /api/runs`: a run begins. The same again is taken as sent; another run of that id is `conflict`. */
export const RunCreate = z.strictObject({
  runId: RunId,
  machineId: z.string().min(1).max(64),
  agentType: z.string().min(1).max(64),
  /** `anthropic:<name>` */
  model: z.string().min(1).max(256),
  /** What it is for, for people. */
  title: z.string().max(256),
  /** Holds from the first call to the last, also once it is resumed. */
  policy: RunPolicy.optional(),
  entry: RunEntry,
})
export type RunCreate = z.infer<typeof RunCreate>

/**
 * Body of `POST /api/runs/:run/entries`. `index` is the one of the first entry, from 0; the first one is that of
 * `POST /api/runs`. What is there already is taken as sent; anything else than the next index is `conflict`: somebody else
 * has written meanwhile.
 */
export const RunAppend = z.strictObject({
  index: z.number().int().min(1).max(MAX_RUN_ENTRIES),
  entries: z.array(RunEntry).min(1).max(MAX_RUN_APPEND_ENTRIES),
})
export type RunAppend = z.infer<typeof RunAppend>

/** Answer to both: entries of the run that are durable. */
export const RunAppended = z.object({ entries: z.number().int() })
export type RunAppended = z.infer<typeof RunAppended>

/** A run as the relay lists it. */
export const RunSummary = z.object({
  runId: z.string(),
  fleetId: z.string(),
  /** Whose run it is: only it writes on. */
  principalId: z.string(),
  machineId: z.string(),
  /** The ask that the machine's own operator works on in it; null: it is of a script. */
  askId: z.string().nullable(),
  agentType: z.string(),
  model: z.string(),
  title: z.string(),
  state: RunState,
  /** Why it did not complete; null while it runs, and when it did. */
  code: z.string().nullable(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type RunSummary = z.infer<typeof RunSummary>

export const RunListQuery = z.object({
  machineId: z.string().max(64).optional(),
  state: RunState.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(1024).optional(),
})
export type RunListQuery = z.infer<typeof RunListQuery>

/** Newest first. */
export const RunList = z.object({
  items: z.array(RunSummary),
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
})
export type RunList = z.infer<typeof RunList>

export const RunEntriesQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(500),
  /** Index of the first entry that is wanted, as `next_cursor` says it. */
  cursor: z.coerce.number().int().min(0).default(0),
})
export type RunEntriesQuery = z.input<typeof RunEntriesQuery>

/** Entries in order, each with the relay's time at which it became durable. */
export const RunEntryList = z.object({
  items: z.array(z.object({ at: z.iso.datetime(), entry: RunEntry })),
  next_cursor: z.number().int().nullable(),
  has_more: z.boolean(),
})
export type RunEntryList = z.infer<typeof RunEntryList>
