import { generateKeyPairSync, hash, sign, verify } from 'node:crypto'
import { canonicalJson } from '../../messages/canonical-json.ts'
import { type AuditRow, auditBody, NO_AUDIT_HASH } from '../row.ts'
import { type AuditStatement, statementLine, statementText } from '../statements.ts'
import type { AuditVerification } from '../verification.ts'
import { AuditVerifier, type AuditVerifierOptions } from '../verifier.ts'

const keys = generateKeyPairSync('ed25519')
const said = { version: 1, relayId: 'rly_one', fleetId: 'flt_one', at: '2030-01-01T00:00:00.000Z' } as const

/** A line of an export that a test made, and what it is. */
export interface MadeLine {
  readonly text: string
  readonly chain?: string
  readonly sequence?: number
  readonly checkpoint?: number
  readonly end?: true
}

/** Makes an export: for each part, how many rows of which chains come before its checkpoint. */
export function makeExport(parts: readonly (readonly { chain: string; rows: number; words: string }[])[]): MadeLine[] {
  const lines: MadeLine[] = []
  const heads = new Map<string, { sequence: number; hash: string }>()
  let previous = NO_AUDIT_HASH
  let number = 0
  for (const part of parts) {
    for (const { chain, rows, words } of part.toSorted((one, other) => (one.chain < other.chain ? -1 : 1))) {
      for (let count = 0; count < rows; count += 1) {
        const head = heads.get(chain) ?? { sequence: 0, hash: NO_AUDIT_HASH }
        const sequence = head.sequence + 1
        const text = auditBody(madeRow(`${chain}-${sequence}`, words), { chain, sequence, previous: head.hash })
        heads.set(chain, { sequence, hash: sha256(text) })
        lines.push({ text, chain, sequence })
      }
    }
    number += 1
    const named = Array.from(heads, ([chain, head]) => ({ chain, ...head }))
    const all = named.toSorted((one, other) => (one.chain < other.chain ? -1 : 1))
    const rows = all.reduce((sum, { sequence }) => sum + sequence, 0)
    const body = canonicalJson({ ...said, number, heads: all, previous, rows })
    previous = sha256(body)
    lines.push({ text: signedLine('checkpoint', body), checkpoint: number })
  }
  const rows = lines.filter(({ chain }) => chain !== undefined).length
  lines.push({ text: signedLine('end', canonicalJson({ ...said, number, hash: previous, rows })), end: true })
  return lines
}

/** A signed line of this relay. */
export function signedLine(kind: AuditStatement, body: string): string {
  const signature = sign(null, Buffer.from(statementText(kind, body)), keys.privateKey).toString('base64url')
  return statementLine(kind, { body, signature })
}

export function sha256(text: string | Uint8Array): string {
  return hash('sha256', text)
}

/** Verifies bytes, in pieces of that size. */
export function verifyBytes(
  bytes: Uint8Array,
  options: Partial<AuditVerifierOptions> = {},
  pieceBytes = 1000,
): AuditVerification {
  const verifier = new AuditVerifier({
    sha256,
    isSigned: (text, signature) => verify(null, Buffer.from(text), keys.publicKey, Buffer.from(signature, 'base64url')),
    ...options,
  })
  for (let start = 0; start < bytes.length; start += pieceBytes)
    verifier.push(bytes.subarray(start, start + pieceBytes))
  return verifier.end()
}

export function bytesOf(lines: readonly MadeLine[]): Buffer {
  return Buffer.from(lines.map(({ text }) => `${text}\n`).join(''))
}

/** A row whose free text is `words`. */
export function madeRow(id: string, words = ''): AuditRow {
  return {
    id: `aud_${id}`,
    kind: 'intent',
    fleetId: said.fleetId,
    at: said.at,
    action: 'exec',
    decision: 'allow',
    intentId: null,
    principalId: 'prn_one',
    principalKind: 'human',
    principalName: words,
    onBehalfOf: null,
    keyId: null,
    machineId: 'mch_one',
    sessionId: null,
    runId: null,
    agentType: null,
    model: null,
    callId: null,
    subject: words === '' ? null : words,
    digest: null,
    rule: null,
    approvalId: null,
    code: null,
    exitCode: null,
    durationMs: 3,
    requestId: null,
    bytes: null,
    offset: null,
  }
}
