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
  v: z.number().int().min(1).describe("Version of the entry's form"),
  type: z.string().min(1).max(64).describe('What the entry tells, such as `run_started`'),
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
    mode: z.enum(['default', 'strict']).optional().describe('`strict`: what no rule allows is asked about'),
    rules: z
      .array(z.record(z.string(), z.unknown()))
      .max(MAX_RUN_RULES)
      .optional()
      .describe('Rules that ask or deny, in the form of `docs/policy.md`'),
  })
  .refine(
    (policy) => new TextEncoder().encode(JSON.stringify(policy)).length <= MAX_RUN_POLICY_BYTES,
    `Expected a policy of at most ${MAX_RUN_POLICY_BYTES} bytes.`,
  )
export type RunPolicy = z.infer<typeof RunPolicy>

/** Body of `POST /api/runs`: a run begins. The same again is taken as sent; another run of that id is `conflict`. */
export const RunCreate = z.strictObject({
  runId: RunId.describe('Id of the run, a UUID that whoever starts it makes'),
  machineId: z.string().min(1).max(64).describe('Id of the machine that it works on'),
  agentType: z.string().min(1).max(64).describe('Type of the operator, such as `command`'),
  model: z.string().min(1).max(256).describe('Its model: `anthropic:<name>`'),
  title: z.string().max(256).describe('What it is for, for people'),
  policy: RunPolicy.optional().describe('Rules that hold from the first call to the last, also once it is resumed'),
  entry: RunEntry.describe('The first entry of its journal'),
})
export type RunCreate = z.infer<typeof RunCreate>

/**
 * Body of `POST /api/runs/:run/entries`. `index` is the one of the first entry, from 0; the first one is that of
 * `POST /api/runs`. What is there already is taken as sent; anything else than the next index is `conflict`: somebody else
 * has written meanwhile.
 */
export const RunAppend = z.strictObject({
  index: z
    .number()
    .int()
    .min(1)
    .max(MAX_RUN_ENTRIES)
    .describe('Index of the first of these entries in the journal, from 0'),
  entries: z.array(RunEntry).min(1).max(MAX_RUN_APPEND_ENTRIES).describe('Entries that follow, in order'),
})
export type RunAppend = z.infer<typeof RunAppend>

/** Answer to both: entries of the run that are durable. */
export const RunAppended = z.object({ entries: z.number().int().describe('Entries of the run that are durable') })
export type RunAppended = z.infer<typeof RunAppended>

/** A run as the relay lists it. */
export const RunSummary = z.object({
  runId: z.string().describe('Id of the run'),
  fleetId: z.string().describe('Id of the fleet that it is of'),
  principalId: z.string().describe('Id of the principal whose run it is: only it writes on'),
  machineId: z.string().describe('Id of the machine that it works on'),
  askId: z
    .string()
    .nullable()
    .describe("The ask that the machine's own operator works on in it; null: it is of a script"),
  agentType: z.string().describe('Type of the operator, such as `command`'),
  model: z.string().describe('Its model: `anthropic:<name>`'),
  title: z.string().describe('What it is for, for people'),
  state: RunState.describe('How it stands; `running`: also one whose script is gone without a word'),
  code: z.string().nullable().describe('Error code of why it did not complete; null while it runs, and when it did'),
  createdAt: z.iso.datetime().describe('When it was made'),
  updatedAt: z.iso.datetime().describe('When it was last changed'),
})
export type RunSummary = z.infer<typeof RunSummary>

export const RunListQuery = z.object({
  machineId: z.string().max(64).optional().describe('Only those that work on this machine'),
  state: RunState.optional().describe('Only those that stand so'),
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Items in one page at most'),
  cursor: z.string().max(1024).optional().describe('The `next_cursor` of the page before; absent: the first page'),
})
export type RunListQuery = z.infer<typeof RunListQuery>

/** Newest first. */
export const RunList = z.object({
  items: z.array(RunSummary).describe('Runs, the newest first'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
  has_more: z.boolean().describe('Whether another page follows'),
})
export type RunList = z.infer<typeof RunList>

export const RunEntriesQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(500).describe('Items in one page at most'),
  cursor: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('Index of the first entry that is wanted, as `next_cursor` says it'),
})
export type RunEntriesQuery = z.input<typeof RunEntriesQuery>

/** Entries in order, each with the relay's time at which it became durable. */
export const RunEntryList = z.object({
  items: z
    .array(
      z.object({
        at: z.iso.datetime().describe("When it became durable, by the relay's clock"),
        entry: RunEntry.describe('The entry, as it was written'),
      }),
    )
    .describe('Entries in order of their index'),
  next_cursor: z.number().int().nullable().describe('Index of the next entry; null where there is none as yet'),
  has_more: z.boolean().describe('Whether another page follows'),
})
export type RunEntryList = z.infer<typeof RunEntryList>
