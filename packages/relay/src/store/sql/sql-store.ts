import { type CompiledQuery, sql } from 'kysely'
import type { Seal } from '../seal.ts'
import type { RelayKeyRow, Store } from '../store.ts'
import { createApprovalStore } from './sql-approvals.ts'
import { createAuditStore } from './sql-audit.ts'
import { createAuditCheckpointStore } from './sql-audit-checkpoints.ts'
import { createFleetStore } from './sql-fleets.ts'
import { createInvitationStore, createSignInCodeStore, createTotpStore } from './sql-sign-in.ts'
import { createEnrollmentTokenStore, createKeyStore, createTicketStore } from './sql-keys.ts'
import { createIdempotencyStore } from './sql-idempotency.ts'
import { createMachineStore } from './sql-machines.ts'
import { createNotificationStore } from './sql-notifications.ts'
import { createPageSessionStore } from './sql-page-sessions.ts'
import { createPolicyStore } from './sql-policies.ts'
import { createPrincipalStore } from './sql-principals.ts'
import { createRecordingStore } from './sql-recordings.ts'
import { createScheduleStore } from './sql-schedules.ts'
import { createFleetRunStore } from './sql-fleet-runs.ts'
import { createRunStore } from './sql-runs.ts'
import { createSkillStore } from './sql-skills.ts'
import { createTunnelStore } from './sql-tunnels.ts'
import type { Database, Lookup, ReadPage, Run, SqlEngine } from './tables.ts'

/** What a {@link SqlStore} stands on. */
export interface SqlStoreOptions {
  /** Migrated; its errors are those of the port. */
  readonly db: Database
  /** Default: by `db`. */
  readonly lookup?: Lookup
  /** Default: by `db`. */
  readonly readPage?: ReadPage
  /** Runs a writing statement that an action waits for. Default: by `db`. */
  readonly run?: Run
  readonly engine: SqlEngine
  /** Of the secrets that it keeps. */
  readonly seal: Seal
  /** Waits for what has begun, then closes the database. Idempotent. */
  readonly close: () => Promise<void>
}

/** The port on any SQL database that kysely reaches. */
export class SqlStore implements Store {
  readonly fleets
  readonly principals
  readonly keys
  readonly invitations
  readonly signInCodes
  readonly totp
  readonly enrollmentTokens
  readonly tickets
  readonly machines
  readonly recordings
  readonly runs
  readonly fleetRuns
  readonly approvals
  readonly policies
  readonly skills
  readonly idempotency
  readonly schedules
  readonly notifications
  readonly pageSessions
  readonly tunnels
  readonly audit
  readonly auditCheckpoints
  readonly #db: Database
  readonly #close: () => Promise<void>

  constructor({ db, engine, seal, lookup = by(db), readPage = pagesBy(db), run = runBy(db), close }: SqlStoreOptions) {
    this.#db = db
    this.#close = close
    this.fleets = createFleetStore(db, lookup)
    this.principals = createPrincipalStore(db, lookup)
    this.keys = createKeyStore(db, lookup)
    this.invitations = createInvitationStore(db)
    this.signInCodes = createSignInCodeStore(db)
    this.totp = createTotpStore(db, seal)
    this.enrollmentTokens = createEnrollmentTokenStore(db)
    this.tickets = createTicketStore(db)
    this.machines = createMachineStore(db, { engine, lookup, readPage })
    this.recordings = createRecordingStore(db)
    this.runs = createRunStore(db)
    this.fleetRuns = createFleetRunStore(db)
    this.approvals = createApprovalStore(db)
    this.policies = createPolicyStore(db)
    this.skills = createSkillStore(db)
    this.idempotency = createIdempotencyStore(db)
    this.schedules = createScheduleStore(db, run)
    this.notifications = createNotificationStore(db, seal)
    this.pageSessions = createPageSessionStore(db)
    this.tunnels = createTunnelStore(db)
    this.audit = createAuditStore(db, { engine, run })
    this.auditCheckpoints = createAuditCheckpointStore(db)
  }

  async relayKey(propose: () => RelayKeyRow): Promise<RelayKeyRow> {
    const known = await this.#findRelayKey().executeTakeFirst()
    if (known !== undefined) return known
    const proposed = { id: 1, ...propose() }
    await this.#db
      .insertInto('relayKey')
      .values(proposed)
      .onConflict((on) => on.column('id').doNothing())
      .execute()
    return await this.#findRelayKey().executeTakeFirstOrThrow()
  }

  async ping(): Promise<void> {
    await sql`select 1`.execute(this.#db)
  }

  async close(): Promise<void> {
    await this.#close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #findRelayKey() {
    return this.#db.selectFrom('relayKey').select(['relayId', 'privateKey', 'publicKey']).where('id', '=', 1)
  }
}

function runBy(db: Database): Run {
  return async (query) => Number((await db.executeQuery(query)).numAffectedRows ?? 0n)
}

function by(db: Database): Lookup {
  return async <Row>(query: CompiledQuery) => (await db.executeQuery<Row>(query)).rows[0]
}

function pagesBy(db: Database): ReadPage {
  return async <Row>(query: CompiledQuery) => (await db.executeQuery<Row>(query)).rows
}
