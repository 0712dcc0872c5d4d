import { hash } from 'node:crypto'
import { auditBody, type AuditHead, type AuditRow, NO_AUDIT_HASH } from '@cmdop/protocol'
import type { SealedAuditRow } from '../store/audit-store.ts'

/** Where a chain has got to. */
export type ChainHead = AuditHead

/** The beginning of a chain. */
export function emptyChain(chain: string): ChainHead {
  return { chain, sequence: 0, hash: NO_AUDIT_HASH }
}

/** Where a chain has got to with this row. */
export function headOf({ chain, sequence, body }: SealedAuditRow): ChainHead {
  return { chain, sequence, hash: hash('sha256', body) }
}

/** Puts rows behind the head of a chain, and gives the head that they make. */
export function sealRows(rows: readonly AuditRow[], head: ChainHead): { sealed: SealedAuditRow[]; head: ChainHead } {
  let { sequence, hash: previous } = head
  const { chain } = head
  const sealed = rows.map((row): SealedAuditRow => {
    sequence += 1
    const body = auditBody(row, { chain, sequence, previous })
    previous = hash('sha256', body)
    return { fleetId: row.fleetId, chain, sequence, body }
  })
  return { sealed, head: { chain, sequence, hash: previous } }
}
