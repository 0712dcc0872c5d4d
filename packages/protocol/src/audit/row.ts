import { z } from 'zod'

/** What a row is of: `intent` before an action, `progress` of input that flows, `outcome` after the action. */
export const auditKinds = ['intent', 'progress', 'outcome'] as const

const text = z.string().nullable()
const count = z.number().nullable()

/** A row of the audit log: who does what, where, for which operator, whether that was allowed, and how it ended. */
export const AuditRow = z.object({
  id: z.string().describe('Id of the row'),
  kind: z
    .enum(auditKinds)
    .describe('`intent` before an action, `progress` of input that flows, `outcome` after the action'),
  fleetId: z.string().describe('Id of the fleet'),
  at: z.iso.datetime().describe('When the relay wrote it, by its clock'),
  action: z
    .string()
    .describe('The method of a machine, or the action of a request: `exec`, `session.attach`, `key.issue`'),
  decision: z.enum(['allow', 'deny', 'ask']).describe('Whether it was allowed, refused, or people were asked'),
  intentId: text.describe('Of an outcome or a progress: the id of its intent'),
  principalId: z.string().describe('Id of the principal that acts'),
  principalKind: text.describe('What the principal is: `human`, `ai`, `service`, `schedule`'),
  principalName: text.describe('What the principal was called then'),
  onBehalfOf: text.describe('Id of the person or schedule that it is done for'),
  keyId: text.describe('Id of the key or session that it is done with'),
  machineId: text.describe('Id of the machine on which it is done'),
  sessionId: text.describe('Id of the session in which it is done'),
  runId: text.describe("Id of the operator's run whose step it is"),
  agentType: text.describe('Type of the operator'),
  model: text.describe('Model of the operator: `anthropic:<name>`'),
  callId: text.describe('Id of the call of a machine'),
  subject: text.describe('What else is acted on: `key:<id>`, `member:<id>`, `approval:<id>`'),
  digest: text.describe('SHA-256 of the canonical action, hex'),
  rule: text.describe('Which rule decided'),
  approvalId: text.describe('Id of the approval that it uses'),
  code: text.describe(
    'Error code of a denial or a failed action; `unknown`: the relay ended before it saw how the action did',
  ),
  exitCode: count.describe('Exit code of a command'),
  durationMs: count.describe('Milliseconds that it took'),
  requestId: text.describe('Id of the HTTP request, as the answer named it'),
  bytes: count.describe('Bytes of input'),
  offset: count.describe('Of input: its first byte, counted from the beginning of the channel'),
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
