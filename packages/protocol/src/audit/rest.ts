import { z } from 'zod'
import { AuditRow, auditKinds } from './row.ts'
import { SignedStatement } from './statements.ts'

const word = z.string().min(1).max(256).optional()
const count = z.coerce.number().int().min(0).optional()

/** Which rows are wanted; all that is given must fit. */
export const AuditFilter = z.strictObject({
  /** One row. */
  id: word,
  kind: z.enum(auditKinds).optional(),
  principal: word,
  principal_name: word,
  principal_kind: word,
  on_behalf_of: word,
  key: word,
  /** `exec`, or `file.*` for every action that begins so. */
  action: word,
  machine: word,
  session: word,
  run: word,
  call: word,
  agent_type: word,
  model: word,
  subject: word,
  digest: word,
  decision: z.enum(['allow', 'deny', 'ask']).optional(),
  rule: word,
  approval: word,
  code: word,
  exit_code: z.coerce.number().int().optional(),
  bytes: count,
  offset: count,
  /** Milliseconds that it took at least, and at most. */
  duration_min: z.coerce.number().min(0).optional(),
  duration_max: z.coerce.number().min(0).optional(),
  request: word,
  /** The intent and what followed it. */
  intent: word,
  chain: word,
  /** The place in its chain. */
  sequence: count,
  /** From this time on. */
  since: z.iso.datetime().optional(),
  /** Before this time. */
  until: z.iso.datetime().optional(),
})
export type AuditFilter = z.infer<typeof AuditFilter>

/** Query of `GET /api/audit`. */
export const AuditQuery = AuditFilter.extend({
  order: z.enum(['newest', 'oldest']).default('newest'),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, 'Expected cursor to be the next_cursor of an earlier answer.')
    .optional(),
})
export type AuditQuery = z.infer<typeof AuditQuery>

/** A row with its place. */
export const AuditLog = AuditRow.extend({ chain: z.string(), sequence: z.number().int() })
export type AuditLog = Readonly<z.infer<typeof AuditLog>>

export const AuditPage = z.object({
  items: z.array(AuditLog),
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
})
export type AuditPage = z.infer<typeof AuditPage>

/** Query of `GET /api/audit/export`. Whole, as JSONL, it can be verified; with a filter, and as CSV, it cannot. */
export const AuditExportQuery = AuditFilter.extend({ format: z.enum(['jsonl', 'csv']).default('jsonl') })
export type AuditExportQuery = z.infer<typeof AuditExportQuery>

/** Query of `GET /api/audit/checkpoints`, in order of their numbers. */
export const AuditCheckpointsQuery = z.object({
  /** Only those after this number. */
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})
export type AuditCheckpointsQuery = z.infer<typeof AuditCheckpointsQuery>

export const AuditCheckpoints = z.object({
  items: z.array(SignedStatement.extend({ number: z.number().int() })),
  /** What to give as `after` for more. */
  next_cursor: z.number().int().nullable(),
  has_more: z.boolean(),
})
export type AuditCheckpoints = z.infer<typeof AuditCheckpoints>

/** With which key the relay signs its checkpoints. Keep it elsewhere: what verifies a log must not come from its writer. */
export const AuditKey = z.object({
  relay_id: z.string(),
  /** Ed25519, SPKI PEM. */
  public_key: z.string(),
})
export type AuditKey = z.infer<typeof AuditKey>
