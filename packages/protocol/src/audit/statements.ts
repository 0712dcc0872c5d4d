import { z } from 'zod'
import { canonicalJson } from '../messages/canonical-json.ts'
import { AuditChain } from './row.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const head = z.object({ chain: AuditChain, sequence: z.number().int().min(1), hash })

/** The last row of a chain. */
export type AuditHead = Readonly<z.infer<typeof head>>

const statement = {
  version: z.literal(1),
  relayId: z.string(),
  fleetId: z.string(),
  at: z.iso.datetime(),
}

/** What the relay says of all chains of a fleet at one moment: these are their last rows. */
export const AuditCheckpoint = z.strictObject({
  ...statement,
  /** From 1, without a gap, for each fleet. */
  number: z.number().int().min(1),
  /** In order of their chains. A chain that was named once is named by every later checkpoint. */
  heads: z.array(head),
  /** SHA-256 of the body of the checkpoint before, hex. */
  previous: hash,
  /** Rows there ever were. */
  rows: z.number().int().min(0),
})
export type AuditCheckpoint = Readonly<z.infer<typeof AuditCheckpoint>>

/** What the relay says when it has pruned: all up to this checkpoint may be gone, and verifying begins after it. */
export const AuditAnchor = z.strictObject({
  ...statement,
  number: z.number().int().min(1),
  /** SHA-256 of the body of that checkpoint, hex. */
  hash,
  heads: z.array(head),
})
export type AuditAnchor = Readonly<z.infer<typeof AuditAnchor>>

/** The last word of an export: nothing after this checkpoint was there, so that a file that was cut shows. */
export const AuditEnd = z.strictObject({
  ...statement,
  number: z.number().int().min(1),
  hash,
  /** Rows in the export. */
  rows: z.number().int().min(0),
})
export type AuditEnd = Readonly<z.infer<typeof AuditEnd>>

/** What the relay signs about its log. */
export type AuditStatement = 'checkpoint' | 'anchor' | 'end'

/** A statement as it is kept: the exact text that was signed, and the Ed25519 signature of {@link statementText}. */
export const SignedStatement = z.strictObject({
  body: z.string().describe('The exact text that was signed, canonical JSON'),
  signature: z.string().describe('Ed25519 signature of `statementText`, base64url'),
})
export type SignedStatement = Readonly<z.infer<typeof SignedStatement>>

/** The text that the relay signs (UTF-8). */
export function statementText(kind: AuditStatement, body: string): string {
  return `cmdop-audit-${kind}-v1\n${body}`
}

/** The line of an export. */
export function statementLine(kind: AuditStatement, { body, signature }: SignedStatement): string {
  return canonicalJson({ [kind]: body, signature })
}

/** The first line of an export that leaves rows out: nobody can verify it. */
export function filteredLine(filter: Record<string, unknown>): string {
  return canonicalJson({ filtered: filter, version: 1 })
}
