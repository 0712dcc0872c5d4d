import { z } from 'zod'

/** What a row is of: `intent` before an action, `progress` of input that flows, `outcome` after the action. */
export const auditKinds = ['intent', 'progress', 'outcome'] as const

const text = z.string().nullable()
const count = z.number().nullable()

/** A row of the audit log: who does what, where, for which operator, whether that was allowed, and how it ended. */
export const AuditRow = z.object({
  id: z.string(),
  kind: z.enum(auditKinds),
  fleetId: z.string(),
  /** When the relay wrote it, by its clock. */
  at: z.iso.datetime(),
  /** The method of a machine, or the action of a request: `exec`, `session.attach`, `key.issue`. */
  action: z.string(),
  decision: z.enum(['allow', 'deny', 'ask']),
  /** Of an outcome or a progress: the id of its intent. */
  intentId: text,
  principalId: z.string(),
  principalKind: text,
  principalName: text,
  /** The person or schedule it is done for. */
  onBehalfOf: text,
  keyId: text,
  machineId: text,
  sessionId: text,
  /** The operator's run whose step it is, the type of that operator, and its model. */
  runId: text,
  agentType: text,
  model: text,
  callId: text,
  /** What else is acted on: `key:<id>`, `member:<id>`, `approval:<id>`. */
  subject: text,
  /** SHA-256 of the canonical action, hex. */
  digest: text,
  /** Which rule decided. */
  rule: text,
  approvalId: text,
  /** Error code of a denial or a failed action; `unknown`: the relay ended before it saw how the action did. */
  code: text,
  exitCode: count,
  durationMs: count,
  requestId: text,
  /** Of input: how many bytes, and from which one of this channel's on. */
  bytes: count,
  offset: count,
})
export type AuditRow = Readonly<z.infer<typeof AuditRow>>

/** Its place in a chain. */
export interface AuditLink {
  readonly chain: string
  /** From 1, without a gap. */
  readonly sequence: number
  /** SHA-256 of the row before it in the chain, hex; {@link NO_AUDIT_HASH} for the first. */
  readonly previous: string
}

/** Stands where there is nothing before. */
export const NO_AUDIT_HASH = '0'.repeat(64)

/** Names of chains: nothing in them is escaped in JSON. */
export const AuditChain = z.string().regex(/^[A-Za-z0-9._~-]{1,64}$/)

/** Its keys are the fields, in canonical order. */
const nothing: AuditRow = {
  action: '',
  agentType: null,
  approvalId: null,
  at: '',
  bytes: null,
  callId: null,
  code: null,
  decision: 'deny',
  digest: null,
  durationMs: null,
  exitCode: null,
  fleetId: '',
  id: '',
  intentId: null,
  keyId: null,
  kind: 'intent',
  machineId: null,
  model: null,
  offset: null,
  onBehalfOf: null,
  principalId: '',
  principalKind: null,
  principalName: null,
  requestId: null,
  rule: null,
  runId: null,
  sessionId: null,
  subject: null,
}
const fields = (Object.keys(nothing) as (keyof AuditRow)[]).filter((field) => field !== 'fleetId')

/**
 * A row as it is hashed, stored and exported: canonical JSON, without fields that are null. Chain, fleet and the hash of
 * the row before stand at its beginning and the sequence at its end, so that they are found without reading the rest.
 */
export function auditBody(row: AuditRow, { chain, sequence, previous }: AuditLink): string {
  const said: Record<string, unknown> = {}
  for (const field of fields) if (row[field] !== null) said[field] = row[field]
  return JSON.stringify({ chain, fleetId: row.fleetId, previous, row: said, sequence, version: 1 })
}

/** The row and its place, of a body that {@link auditBody} made. */
export function parseAuditBody(body: string): { row: AuditRow; link: AuditLink } {
  const { chain, fleetId, previous, row, sequence } = JSON.parse(body) as AuditLink & {
    fleetId: string
    row: Partial<AuditRow>
  }
  return { row: { ...nothing, ...row, fleetId }, link: { chain, sequence, previous } }
}
