import type { ColumnDefinitionBuilder, Expression, Generated, Kysely, SqlBool } from 'kysely'
import type {
  AuditRow,
  EnrollmentTokenRow,
  FleetRow,
  KeyRow,
  MachineRow,
  PrincipalRow,
  RecordingRow,
  RelayKeyRow,
  TicketRow,
} from '../store.ts'

/**
 * The tables, by the names the code uses; in the database they are snake_case (kysely's CamelCasePlugin). Their rows are
 * those of the port.
 */
export interface Tables {
  fleets: FleetRow
  principals: PrincipalRow
  apiKeys: KeyRow
  enrollmentTokens: EnrollmentTokenRow
  tickets: TicketRow
  machines: MachineRow
  /** Subject and manifest are JSON. */
  recordings: Omit<RecordingRow, 'subject' | 'manifest'> & { subject: string; manifest: string | null }
  audit: AuditRow & { position: Generated<number> }
  /** At most one row; its `id` is 1. */
  relayKey: RelayKeyRow & { id: number }
}

/** A connected database. Its errors are those of the port already. */
export type Database = Kysely<Tables>

/** What SQL engines say differently. One implementation, in one file, for each. */
export interface SqlEngine {
  /** Makes a column the primary key that the database counts up, never using a number twice. */
  counting(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder
  /** Makes the database refuse to change or delete rows of a table. */
  makeAppendOnly(db: Kysely<unknown>, table: string): Promise<void>
  /** `column` is one of `values`, however many there are, in one parameter. */
  isAnyOf(column: string, values: readonly string[]): Expression<SqlBool>
}
