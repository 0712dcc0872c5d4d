import type { AuditLink, AuditRow } from '@cmdop/protocol'

const columns = [
  'at',
  'kind',
  'action',
  'decision',
  'code',
  'principalId',
  'principalKind',
  'principalName',
  'onBehalfOf',
  'keyId',
  'machineId',
  'sessionId',
  'runId',
  'agentType',
  'model',
  'callId',
  'subject',
  'digest',
  'rule',
  'approvalId',
  'exitCode',
  'durationMs',
  'bytes',
  'offset',
  'requestId',
  'id',
  'intentId',
] as const satisfies readonly (keyof AuditRow)[]

/** The names of the columns, as the first line (RFC 4180). */
export const csvHeader = `${[...columns, 'chain', 'sequence'].join(',')}\r\n`

/** A row as a line of CSV. */
export function csvLine(row: AuditRow, { chain, sequence }: Pick<AuditLink, 'chain' | 'sequence'>): string {
  return `${[...columns.map((column) => row[column]), chain, sequence].map(cell).join(',')}\r\n`
}

/**
 * A cell in quotes. What a spreadsheet would take for a formula gets an apostrophe in front
 * (https://owasp.org/www-community/attacks/CSV_Injection).
 */
function cell(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const safe = /^[=+\-@\t\r\n|%]/.test(value) ? `'${value}` : value
  return `"${safe.replaceAll('"', '""')}"`
}
