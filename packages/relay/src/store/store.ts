import type { NotificationStore, PageSessionStore } from './notification-store.ts'
import type { PolicyStore } from './policy-store.ts'
import type { ApprovalStore } from './approval-store.ts'
import type { RecordingManifest, RecordingSubject, RecordingSummary, RunSummary } from '@cmdop/protocol'

/**
 * The relay's state as an asynchronous port. Every promise that resolves means committed: it survives `kill -9`.
 * Times are ISO 8601 strings in UTC, ids are strings made by the caller. Implemented once now (SQLite); every
 * implementation passes `store-conformance.ts`.
 *
 * Errors: `conflict` for an id or unique name that is taken, `not_found` for a row that refers to one that is not there,
 * `unavailable` when the store is closed or broken.
 */
export interface Store extends AsyncDisposable {
  readonly fleets: FleetStore
  readonly principals: PrincipalStore
  readonly keys: KeyStore
  readonly enrollmentTokens: EnrollmentTokenStore
  readonly tickets: TicketStore
  readonly machines: MachineStore
  readonly recordings: RecordingStore
  readonly runs: RunStore
  readonly approvals: ApprovalStore
  readonly policies: PolicyStore
  readonly notifications: NotificationStore
  readonly pageSessions: PageSessionStore
  readonly audit: AuditStore
  /** The relay's own signing key, made once by whoever comes first; every relay on this store gets the same one. */
  relayKey(propose: () => RelayKeyRow): Promise<RelayKeyRow>
  /** Resolves when the store answers; for `GET /health`. */
  ping(): Promise<void>
  /** Commits what was asked before, then closes; later calls are `unavailable`. Idempotent. */
  close(): Promise<void>
}

/** Ed25519 keys in PEM (PKCS #8 and SPKI). */
export interface RelayKeyRow {
  readonly relayId: string
  readonly privateKey: string
  readonly publicKey: string
}

/** What can act; see {@link PrincipalRow}. */
export const principalKinds = ['human', 'ai', 'service', 'schedule', 'machine', 'system'] as const
/** One of {@link principalKinds}. */
export type PrincipalKind = (typeof principalKinds)[number]

/** What a member of a fleet is, the mightiest first. */
export const roles = ['owner', 'admin', 'member', 'viewer'] as const
/** One of {@link roles}. */
export type Role = (typeof roles)[number]

/** A fleet: tenant and security boundary. */
export interface FleetRow {
  readonly id: string
  readonly name: string
  /** Unique over all fleets. */
  readonly slug: string
  readonly createdAt: string
}

/** The fleets. */
export interface FleetStore {
  /** Makes the fleet with its first principal, both or none. `conflict` when the slug is taken. */
  create(fleet: FleetRow, owner: PrincipalRow): Promise<void>
  get(fleetId: string): Promise<FleetRow | undefined>
  /** The oldest fleet; asked at the start to see whether there is any. */
  first(): Promise<FleetRow | undefined>
}

/** Whoever acts in a fleet. */
export interface PrincipalRow {
  readonly id: string
  readonly fleetId: string
  readonly kind: PrincipalKind
  readonly name: string
  readonly role: Role
  /** The principal it acts for: the person behind an AI operator. */
  readonly actsForId: string | null
  readonly createdAt: string
}

/** The principals of all fleets. */
export interface PrincipalStore {
  create(principal: PrincipalRow): Promise<void>
  get(principalId: string): Promise<PrincipalRow | undefined>
  /** Whose key it is. */
  ofKey(keyId: string): Promise<PrincipalRow | undefined>
}

/** An API key of a principal. */
export interface KeyRow {
  readonly id: string
  readonly fleetId: string
  readonly principalId: string
  readonly name: string
  /** SHA-256 of the secret, hex. The secret itself is never stored. */
  readonly secretHash: string
  /** First characters, for people to tell keys apart. */
  readonly prefix: string
  readonly createdAt: string
  readonly expiresAt: string | null
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
}

/** The API keys of all fleets. */
export interface KeyStore {
  create(key: KeyRow): Promise<void>
  get(keyId: string): Promise<KeyRow | undefined>
  /** Of one fleet, newest first, then by id. `total` counts all of the fleet. */
  list(fleetId: string, page: { offset: number; limit: number }): Promise<{ items: KeyRow[]; total: number }>
  /** True when this call revoked it, false when it was revoked before or is not of this fleet. */
  revoke(fleetId: string, keyId: string, at: string): Promise<boolean>
  /** Notes the last use; never moves it back. */
  touch(keyId: string, at: string): Promise<void>
}

/** A token that lets up to `maxUses` machines into a fleet until it expires. */
export interface EnrollmentTokenRow {
  readonly id: string
  readonly fleetId: string
  readonly secretHash: string
  readonly createdById: string
  readonly createdAt: string
  readonly expiresAt: string
  readonly maxUses: number
  readonly uses: number
}

/** The enrolment tokens; {@link MachineStore.enroll} uses them. */
export interface EnrollmentTokenStore {
  create(token: EnrollmentTokenRow): Promise<void>
  get(tokenId: string): Promise<EnrollmentTokenRow | undefined>
}

/** A one-use pass for a WebSocket of a browser, which can set no header. */
export interface TicketRow {
  readonly secretHash: string
  readonly keyId: string
  readonly expiresAt: string
}

/** The tickets that are not yet taken. */
export interface TicketStore {
  create(ticket: TicketRow): Promise<void>
  /** Takes the ticket: at most one caller ever gets it, and only before it expires. Also forgets expired ones. */
  take(secretHash: string, now: string): Promise<TicketRow | undefined>
}

/** An enrolled machine. */
export interface MachineRow {
  readonly id: string
  readonly fleetId: string
  /** Unique in its fleet. */
  readonly name: string
  readonly hostname: string
  readonly os: string
  readonly architecture: string
  readonly agentVersion: string
  /** Ed25519, SPKI PEM. */
  readonly publicKey: string
  readonly createdAt: string
  readonly lastSeenAt: string | null
  readonly disabledAt: string | null
}

/** The position after the last row of a page of machines, in order of name, then id. */
export interface MachineCursor {
  readonly name: string
  readonly id: string
}

/** The machines of all fleets. */
export interface MachineStore {
  /**
   * Uses the token once and adds the machine, both or none, even when many enrol at the same moment.
   * `auth` when the token is unknown, of another fleet, expired (at `machine.createdAt`) or used up, `conflict` when the name is taken.
   */
  enroll(machine: MachineRow, tokenId: string): Promise<void>
  get(machineId: string): Promise<MachineRow | undefined>
  /** Of one fleet and not disabled, in order of name, then id; `after` continues. `query` is part of a name or hostname, in any letter case of ASCII. */
  list(fleetId: string, page: { limit: number; after?: MachineCursor; query?: string }): Promise<MachineRow[]>
  /**
   * Candidates for a reference, by the first rule that fits: id, hostname, name, prefix of id, hostname or name (two
   * characters or more). At most ten. Only of this fleet and not disabled.
   */
  resolve(fleetId: string, reference: string): Promise<MachineRow[]>
  /** What the daemon says of itself when it connects. */
  update(
    machineId: string,
    change: { hostname: string; os: string; architecture: string; agentVersion: string },
  ): Promise<void>
  /** A few statements for many machines; never moves a time back. Ids that are not known are passed over. */
  seen(machineIds: readonly string[], at: string): Promise<void>
}

/** An append-only row: `intent` before an action, `outcome` after it. */
export interface AuditRow {
  readonly id: string
  readonly kind: 'intent' | 'outcome'
  readonly fleetId: string
  /** Of an outcome: the id of its intent. */
  readonly intentId: string | null
  readonly at: string
  readonly principalId: string
  readonly action: string
  readonly machineId: string | null
  readonly callId: string | null
  /** SHA-256 of the canonical action, hex. */
  readonly digest: string | null
  readonly decision: 'allow' | 'deny'
  /** Error code of a denial or a failed action. */
  readonly code: string | null
  readonly exitCode: number | null
  readonly durationMs: number | null
  readonly requestId: string | null
}

/** The audit log. Its rows stand by themselves: they may name fleets and principals that are not in the store. */
export interface AuditStore {
  /** Rows cannot be changed or removed. `conflict` when there is a row of that id. */
  append(row: AuditRow): Promise<void>
  /** Rows of one fleet in the order they were written, with their position; `after` continues. */
  list(
    fleetId: string,
    page: { limit: number; after?: number; callId?: string; machineId?: string },
  ): Promise<{ position: number; row: AuditRow }[]>
  get(rowId: string): Promise<AuditRow | undefined>
}

/** A recording of a session or a command. What it says is in a blob. */
export interface RecordingRow {
  readonly id: string
  readonly fleetId: string
  readonly machineId: string
  readonly kind: RecordingSubject['kind']
  readonly subjectId: string
  readonly startedAt: string
  readonly subject: RecordingSubject
  readonly state: RecordingSummary['state']
  readonly manifest: RecordingManifest | null
  readonly blob: string
  /** Where its content begins there: short recordings share a blob. */
  readonly blobOffset: number
  /** Bytes of its content; null while it is `open`. */
  readonly bytes: number | null
}

/** The position after the last row of a page of recordings, the newest first, then by id. */
export interface RecordingCursor {
  readonly startedAt: string
  readonly id: string
}

/** The recordings of all fleets. */
export interface RecordingStore {
  /** Adds those whose id is not there yet; a row that is there stays as it is. All or none. */
  add(recordings: readonly RecordingRow[]): Promise<void>
  get(recordingId: string): Promise<RecordingRow | undefined>
  /** Ends an `open` recording. False when it had ended before, or is not there. */
  finish(recordingId: string, end: Pick<RecordingRow, 'state' | 'manifest' | 'bytes'>): Promise<boolean>
  /** Of one fleet, the newest first, then by id; `after` continues. */
  list(
    fleetId: string,
    page: {
      limit: number
      after?: RecordingCursor
      machineId?: string
      subjectId?: string
      kind?: RecordingRow['kind']
    },
  ): Promise<RecordingRow[]>
}

/** An operator's run. What it did is in its entries. */
export type RunRow = Readonly<Omit<RunSummary, 'runId'> & { id: string }>

/** An entry of a run's journal. */
export interface RunEntryRow {
  readonly runId: string
  /** From 0, without a gap. */
  readonly position: number
  /** When the relay took it. */
  readonly at: string
  /** Bytes of this entry and all before it. */
  readonly totalBytes: number
  /** JSON. */
  readonly body: string
}

/** The position after the last row of a page of runs, the newest first, then by id. */
export interface RunCursor {
  readonly createdAt: string
  readonly id: string
}

/** The operators' runs of all fleets. */
export interface RunStore {
  /** Adds a run with its first entry, both or none. `conflict` when there is a run of that id. */
  create(run: RunRow, entry: RunEntryRow): Promise<void>
  get(runId: string): Promise<RunRow | undefined>
  /** Of one fleet, the newest first, then by id; `after` continues. */
  list(
    fleetId: string,
    page: { limit: number; after?: RunCursor; machineId?: string; state?: RunRow['state'] },
  ): Promise<RunRow[]>
  /**
   * Adds entries of one run that follow one another, all or none, however many writers there are. `conflict` when there is
   * one at their position, `not_found` when there is none before the first.
   */
  append(entries: readonly RunEntryRow[]): Promise<void>
  /** Entries from a position on, in order. */
  entries(runId: string, page: { from: number; limit: number }): Promise<RunEntryRow[]>
  lastEntry(runId: string): Promise<RunEntryRow | undefined>
  /** Notes how the run stands. */
  update(runId: string, change: Pick<RunRow, 'state' | 'code' | 'updatedAt'>): Promise<void>
}
