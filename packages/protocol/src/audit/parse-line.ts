import { z } from 'zod'
import { AuditChain, type AuditLink } from './row.ts'
import {
  AuditAnchor,
  AuditCheckpoint,
  AuditEnd,
  type AuditStatement,
  SignedStatement,
  statementLine,
  statementText,
} from './statements.ts'

/** What a line of an export is; `unknown` is none that a relay writes, `forged` a statement that it did not sign. */
export type AuditLine =
  | ({ readonly type: 'row'; readonly fleetId: string } & AuditLink)
  | { readonly type: 'checkpoint'; readonly body: string; readonly said: AuditCheckpoint }
  | { readonly type: 'anchor'; readonly body: string; readonly said: AuditAnchor }
  | { readonly type: 'end'; readonly body: string; readonly said: AuditEnd }
  | { readonly type: 'filtered' }
  | { readonly type: 'forged'; readonly statement: AuditStatement }
  | { readonly type: 'unknown' }

/** Whether the relay signed this text (UTF-8); the signature is base64url. */
export type IsSigned = (text: string, signature: string) => boolean

const decoder = new TextDecoder('utf-8', { fatal: true })
const Row = z.object({
  chain: AuditChain,
  fleetId: z.string(),
  previous: z.string(),
  row: z.object({}),
  sequence: z.number().int(),
  version: z.literal(1),
})
const schemas = { checkpoint: AuditCheckpoint, anchor: AuditAnchor, end: AuditEnd } as const
/** 64 bytes in base64url: the last character carries four bits, so that there is one text for each signature. */
const SIGNATURE = /^[A-Za-z0-9_-]{85}[AQgw]$/

/** Reads one line. */
export function parseAuditLine(bytes: Uint8Array, isSigned: IsSigned): AuditLine {
  const parsed = parseJson(bytes)
  if (parsed === undefined) return { type: 'unknown' }
  const { text, value } = parsed
  const row = Row.safeParse(value)
  if (row.success) {
    const { chain, fleetId, previous, sequence } = row.data
    return { type: 'row', chain, fleetId, previous, sequence }
  }
  if ('filtered' in value) return { type: 'filtered' }
  for (const statement of ['checkpoint', 'anchor', 'end'] as const) {
    if (statement in value) return parseStatement(statement, { text, value, isSigned })
  }
  return { type: 'unknown' }
}

function parseStatement(
  statement: AuditStatement,
  { text, value, isSigned }: { text: string; value: Record<string, unknown>; isSigned: IsSigned },
): AuditLine {
  const forged = { type: 'forged', statement } as const
  const signed = SignedStatement.safeParse({ body: value[statement], signature: value['signature'] })
  if (!signed.success || statementLine(statement, signed.data) !== text) return forged
  const { body, signature } = signed.data
  if (!SIGNATURE.test(signature) || !isSigned(statementText(statement, body), signature)) return forged
  const said = schemas[statement].safeParse(JSON.parse(body))
  return said.success ? ({ type: statement, body, said: said.data } as AuditLine) : forged
}

function parseJson(bytes: Uint8Array): { text: string; value: Record<string, unknown> } | undefined {
  try {
    const text = decoder.decode(bytes)
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { text, value: value as Record<string, unknown> } : undefined
  } catch {
    return undefined
  }
}
