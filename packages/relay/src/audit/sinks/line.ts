import { statementLine } from '@cmdop/protocol'
import type { AuditCheckpointRow } from '../../store/audit-store.ts'

/** A checkpoint as every sink keeps it: the line that it is in an export. */
export function lineOf(checkpoint: AuditCheckpointRow): string {
  return statementLine('checkpoint', checkpoint)
}
