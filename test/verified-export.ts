import { type AuditVerification, parseAuditBody } from '@cmdop/protocol'
import type { Client, AuditLog } from '@cmdop/core'
import { verifyExport } from '../packages/cli/src/audit/verify-export.ts'

/** The whole log of the client's fleet, and what it proves with the key of its relay. */
export async function exportAndVerify(client: Client): Promise<{
  readonly text: string
  readonly rows: readonly AuditLog[]
  readonly result: AuditVerification
}> {
  const bytes = Buffer.concat(await Array.fromAsync(client.audit.export()))
  const { publicKey } = await client.audit.key()
  const result = await verifyExport(piecesOf(bytes), { publicKey })
  const text = bytes.toString()
  const bodies = text.split('\n').filter((line) => line.startsWith('{"chain":'))
  const rows = bodies.map((body) => {
    const { row, link } = parseAuditBody(body)
    return { ...row, chain: link.chain, sequence: link.sequence }
  })
  return { text, rows, result }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 65_536) yield bytes.subarray(start, start + 65_536)
}

/** Intents that were allowed and have neither an outcome nor one that says `unknown`; of those that still run, none. */
export function withoutOutcome(rows: readonly AuditLog[]): string[] {
  const ended = new Set(rows.filter(({ kind }) => kind === 'outcome').map(({ intentId }) => intentId))
  return rows
    .filter(({ kind, decision, id }) => kind === 'intent' && decision === 'allow' && !ended.has(id))
    .map(({ action }) => action)
}
