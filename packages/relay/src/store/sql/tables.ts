import type { ColumnDefinitionBuilder, CompiledQuery, Expression, Generated, Kysely, SqlBool } from 'kysely'
import type { FleetSettingsRow, InvitationRow, SignInCodeRow, TotpRow } from '../identity.ts'
import type {
  AuditRow,
  EnrollmentTokenRow,
  FleetRow,
  KeyRow,
  MachineRow,
  PrincipalRow,
  RecordingRow,
  RelayKeyRow,
  RunEntryRow,
  RunRow,
  TicketRow,
} from '../store.ts'

/**
 * The tables, by the names the code uses; in the database they are snake_case (kysely's CamelCasePlugin). Their rows are
 * those of the port.
 */
export interface Tables {
  fleets: FleetRow & {
    mfaRequired: Generated<FleetSettingsRow['mfaRequired']>
    fourEyes: Generated<number | null>
  }
  /** Groups are JSON. */
  principals: Omit<PrincipalRow, 'groups'> & { groups: string }
  /** Scopes and addresses are JSON. */
  apiKeys: Omit<KeyRow, 'scopes' | 'ipRanges'> & { scopes: string | null; ipRanges: string | null }
  /** Groups are JSON. */
  invitations: Omit<InvitationRow, 'groups'> & { groups: string }
  signInCodes: SignInCodeRow
  totp: TotpRow
  enrollmentTokens: EnrollmentTokenRow
  tickets: TicketRow
  machines: MachineRow
  /** Subject and manifest are JSON. */
  recordings: Omit<RecordingRow, 'subject' | 'manifest'> & { subject: string; manifest: string | null }
  runs: RunRow
  /** `previous` is the position before, which must be there; null for the first. */
  runEntries: RunEntryRow & { previous: number | null }
  audit: AuditRow & { position: Generated<number> }
  /** At most one row; its `id` is 1. */
  relayKey: RelayKeyRow & { id: number }
}

/** A connected database. Its errors are those of the port already. */
export type Database = Kysely<Tables>

/** Finds one row by its key, for what every request waits for. Sees what is committed. */
export type Lookup = <Row>(query: CompiledQuery) => Promise<Row | undefined>

/** What SQL engines say differently. One implementation, in one file, for each. */
export interface SqlEngine {
  /** Makes a column the primary key that the database counts up, never using a number twice. */
  counting(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder
  /** Makes the database refuse to change or delete rows of a table. */
  makeAppendOnly(db: Kysely<unknown>, table: string): Promise<void>
  /** `column` is one of `values`, however many there are, in one parameter. */
  isAnyOf(column: string, values: readonly string[]): Expression<SqlBool>
}
