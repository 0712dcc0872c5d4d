import { z } from 'zod'
import { AuditRow, auditKinds } from './row.ts'
import { SignedStatement } from './statements.ts'

const word = z.string().min(1).max(256).optional()
const count = z.coerce.number().int().min(0).optional()

/** Which rows are wanted; all that is given must fit. */
export const AuditFilter = z.strictObject({
  id: word.describe('Only the row with this id'),
  kind: z.enum(auditKinds).optional().describe('Only what was written before an action, during it, or after it'),
  principal: word.describe('Only what the principal with this id did'),
  principal_name: word.describe('Only what principals of this name did'),
  principal_kind: word.describe('Only what principals of this kind did: `human`, `ai`, `service`'),
  on_behalf_of: word.describe('Only what was done for the person or schedule with this id'),
  key: word.describe('Only what was done with the key of this id'),
  action: word.describe('Only this action: `exec`, or `file.*` for every action that begins so'),
  machine: word.describe('Only what was done on the machine with this id'),
  session: word.describe('Only what was done in the session with this id'),
  run: word.describe("Only steps of the operator's run with this id"),
  call: word.describe('Only the call with this id'),
  agent_type: word.describe('Only what operators of this type did'),
  model: word.describe('Only what operators with this model did'),
  subject: word.describe('Only what was done to this: `key:<id>`, `member:<id>`, `approval:<id>`'),
  digest: word.describe('Only the action with this SHA-256, hex'),
  decision: z.enum(['allow', 'deny', 'ask']).optional().describe('Only what was decided so'),
  rule: word.describe('Only what this rule decided'),
  approval: word.describe('Only what was done with the approval of this id'),
  code: word.describe('Only what ended with this error code'),
  exit_code: z.coerce.number().int().optional().describe('Only commands that ended with this exit code'),
  bytes: count.describe('Only input of so many bytes'),
  offset: count.describe('Only input that began at this byte of its channel'),
  duration_min: z.coerce.number().min(0).optional().describe('Only what took so many milliseconds at least'),
  duration_max: z.coerce.number().min(0).optional().describe('Only what took so many milliseconds at most'),
  request: word.describe('Only what was done by the request with this id'),
  intent: word.describe('Only the intent with this id, and what followed it'),
  chain: word.describe('Only rows of this chain'),
  sequence: count.describe('Only the row at this place of its chain, from 1'),
  since: z.iso.datetime().optional().describe('Only rows from this time on'),
  until: z.iso.datetime().optional().describe('Only rows before this time'),
})
export type AuditFilter = z.infer<typeof AuditFilter>

/** Query of `GET /api/audit`. */
export const AuditQuery = AuditFilter.extend({
  order: z.enum(['newest', 'oldest']).default('newest').describe('Which rows come first'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('Items in one page at most'),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, 'Expected cursor to be the next_cursor of an earlier answer.')
    .optional()
    .describe('The `next_cursor` of the page before; absent: the first page'),
})
export type AuditQuery = z.infer<typeof AuditQuery>

/** A row with its place. */
export const AuditLog = AuditRow.extend({
  chain: z.string().describe('Name of the chain that it is in'),
  sequence: z.number().int().describe('Its place in the chain, from 1 without a gap'),
})
export type AuditLog = Readonly<z.infer<typeof AuditLog>>

export const AuditPage = z.object({
  items: z.array(AuditLog).describe('Rows in the order that was asked for'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
  has_more: z.boolean().describe('Whether another page follows'),
})
export type AuditPage = z.infer<typeof AuditPage>

/** Query of `GET /api/audit/export`. Whole, as JSONL, it can be verified; with a filter, and as CSV, it cannot. */
export const AuditExportQuery = AuditFilter.extend({
  format: z.enum(['jsonl', 'csv']).default('jsonl').describe('`jsonl` can be verified when it is whole; `csv` cannot'),
})
export type AuditExportQuery = z.infer<typeof AuditExportQuery>

/** Query of `GET /api/audit/checkpoints`, in order of their numbers. */
export const AuditCheckpointsQuery = z.object({
  after: z.coerce.number().int().min(0).default(0).describe('Only those after this number'),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('Items in one page at most'),
})
export type AuditCheckpointsQuery = z.infer<typeof AuditCheckpointsQuery>

export const AuditCheckpoints = z.object({
  items: z
    .array(
      SignedStatement.extend({ number: z.number().int().describe('Number of the checkpoint, from 1 without a gap') }),
    )
    .describe('Checkpoints in order of their numbers'),
  next_cursor: z.number().int().nullable().describe('What to give as `after` for more'),
  has_more: z.boolean().describe('Whether another page follows'),
})
export type AuditCheckpoints = z.infer<typeof AuditCheckpoints>

/** With which key the relay signs its checkpoints. Keep it elsewhere: what verifies a log must not come from its writer. */
export const AuditKey = z.object({
  relay_id: z.string().describe('Id of the relay'),
  public_key: z.string().describe('Key that its checkpoints are signed with: Ed25519, SPKI PEM'),
})
export type AuditKey = z.infer<typeof AuditKey>
