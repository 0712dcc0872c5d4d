import type { NotificationStore, PageSessionStore } from './notification-store.ts'
import type { FleetRunStore } from './fleet-run-store.ts'
import type { IdempotencyStore } from './idempotency-store.ts'
import type { ScheduleStore } from './schedule-store.ts'
import type { PolicyStore } from './policy-store.ts'
import type { SkillStore } from './skill-store.ts'
import type { TunnelStore } from './tunnel-store.ts'
import type { ApprovalStore } from './approval-store.ts'
import type { RecordingManifest, RecordingSubject, RecordingSummary, RunSummary } from '@cmdop/protocol'
import type { AuditCheckpointStore, AuditStore } from './audit-store.ts'

export type { AuditRow } from './audit-store.ts'
import type { FleetSettingsRow, InvitationStore, SignInCodeStore, TotpStore } from './identity.ts'
import type { KeyStore, NewKey, NewPrincipal, PrincipalStore, Role, WithDefaults } from './principals.ts'

export * from './principals.ts'

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
  readonly invitations: InvitationStore
  readonly signInCodes: SignInCodeStore
  readonly totp: TotpStore
  readonly enrollmentTokens: EnrollmentTokenStore
  readonly tickets: TicketStore
  readonly machines: MachineStore
  readonly recordings: RecordingStore
  readonly runs: RunStore
  readonly fleetRuns: FleetRunStore
  readonly approvals: ApprovalStore
  readonly policies: PolicyStore
  readonly skills: SkillStore
  readonly idempotency: IdempotencyStore
  readonly schedules: ScheduleStore
  readonly notifications: NotificationStore
  readonly pageSessions: PageSessionStore
  readonly tunnels: TunnelStore
  readonly audit: AuditStore
  readonly auditCheckpoints: AuditCheckpointStore
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

/** A fleet: tenant and security boundary. */
export interface FleetRow {
  readonly id: string
  readonly name: string
  /** Unique over all fleets. */
  readonly slug: string
  readonly createdAt: string
  /** Since then no key of it is good, and no machine of it connects. */
  readonly disabledAt: string | null
}

/** A fleet as it is made. */
export type NewFleet = Omit<FleetRow, 'disabledAt'> & Partial<Pick<FleetSettingsRow, 'mfaRequired'>>

/** A fleet of which a person is a member, and as what. */
export interface Membership {
  readonly fleet: FleetRow & Pick<FleetSettingsRow, 'mfaRequired'>
  readonly role: Role
}

/** The fleets. */
export interface FleetStore {
  /** Makes the fleet with its first principal and a key of it, all or nothing. `conflict` when the slug is taken. */
  create(fleet: NewFleet, owner: NewPrincipal, key?: NewKey): Promise<void>
  get(fleetId: string): Promise<FleetRow | undefined>
  /** Undefined for a fleet that is not there. */
  settings(fleetId: string): Promise<FleetSettingsRow | undefined>
  configure(fleetId: string, change: Partial<FleetSettingsRow> & { readonly name?: string }): Promise<void>
  /**
   * Disables a fleet: its keys, sessions, sign-in codes, invitations and enrolment tokens end. Gives the ids of keys and
   * sessions that end. `conflict` for the oldest fleet, in which the relay's owner is, and where another fleet in use would be
   * left without an owner who signs in.
   */
  disable(fleetId: string, at: string): Promise<string[]>
  /**
   * The fleets of a person that are not disabled, and in which he may act, see {@link isConfirmed}, the oldest first, then by id.
   * `personId`: of his own row. `total` counts them all.
   */
  ofPerson(personId: string, page: { offset: number; limit: number }): Promise<{ items: Membership[]; total: number }>
  /** The oldest fleet; asked at the start to see whether there is any. */
  first(): Promise<FleetRow | undefined>
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
  /** `Labels` as JSON, of each machine that enrols with it. */
  readonly labels: string
}

/** An enrolment token as it is made. */
export type NewEnrollmentToken = WithDefaults<EnrollmentTokenRow, 'labels'>

/** The enrolment tokens; {@link MachineStore.enroll} uses them. */
export interface EnrollmentTokenStore {
  create(token: NewEnrollmentToken): Promise<void>
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

/** An enrolled machine, as lists show it. */
export interface ListedMachine {
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
  /** A key that the machine wants to use from now on; it takes the place of the other when it is used first. */
  readonly nextPublicKey: string | null
  /** Two daemons used its key at once, and nothing runs there. */
  readonly quarantinedAt: string | null
  /** `Labels` as JSON: what the relay says of it. */
  readonly labels: string
  /** `Labels` as JSON: what its daemon says of itself. */
  readonly reportedLabels: string
  /** `MachineDescription` as JSON: what its daemon says of hardware and system. */
  readonly description: string | null
}

/** All that is known of a machine. */
export interface MachineRow extends ListedMachine {
  /** Where it enrolled, and comes back to. `fleetId`: where it is. */
  readonly homeFleetId: string
  /** Who made the token that it enrolled with. */
  readonly createdById: string | null
  /** How many keys it has had with this one; null: from before they were counted. */
  readonly keyVersion: number | null
  /** Since when it has this key; null: since it enrolled, or from before that was noted. */
  readonly keyRegisteredAt: string | null
  /** When its daemon connected last. */
  readonly connectedAt: string | null
  /** How often it connected in the hours of the last day: `[hour since 1970, times][]` as JSON. */
  readonly connects: string | null
  /** `MachineMetrics` as JSON: what was read there last. */
  readonly metrics: string | null
}

/** A machine as it is made. */
export type NewMachine = WithDefaults<
  MachineRow,
  | 'nextPublicKey'
  | 'quarantinedAt'
  | 'labels'
  | 'reportedLabels'
  | 'homeFleetId'
  | 'createdById'
  | 'keyVersion'
  | 'keyRegisteredAt'
  | 'connectedAt'
  | 'connects'
  | 'description'
  | 'metrics'
>

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
  enroll(machine: NewMachine, tokenId: string): Promise<void>
  get(machineId: string): Promise<MachineRow | undefined>
  /** Names by ids, of those of these that are of the fleet and not disabled: one statement, however many there are. */
  namesOf(fleetId: string, machineIds: readonly string[]): Promise<ReadonlyMap<string, string>>
  /**
   * Of one fleet, in order of name, then id; `after` continues. `query` is part of a name or hostname, in any letter case of
   * ASCII. `disabled`: those that are, and no others; default: those that are not.
   */
  list(
    fleetId: string,
    page: { limit: number; after?: MachineCursor; query?: string; disabled?: boolean },
  ): Promise<ListedMachine[]>
  /**
   * Candidates for a reference, by the first rule that fits: id, hostname, name, prefix of id, hostname or name (two
   * characters or more). At most ten. Only of this fleet and not disabled.
   */
  resolve(fleetId: string, reference: string): Promise<MachineRow[]>
  /** What the daemon says of itself when it connects. */
  update(
    machineId: string,
    change: Pick<MachineRow, 'hostname' | 'os' | 'architecture' | 'agentVersion' | 'reportedLabels'> &
      Partial<Pick<MachineRow, 'connectedAt' | 'connects' | 'description' | 'metrics'>>,
  ): Promise<void>
  /** Gives it another name. `conflict` when another machine of its fleet has that name. */
  rename(machineId: string, name: string): Promise<void>
  /** Takes it from one fleet to another. `conflict` when it is not in the first any more, the other is disabled, or has a machine of that name. */
  move(machineId: string, way: { readonly from: string; readonly to: string }): Promise<void>
  /** Disables a machine, or with null enables it again. False when it is so already, or is not there. */
  disable(machineId: string, at: string | null): Promise<boolean>
  /** Keeps what was read there last. */
  measured(machineId: string, metrics: string): Promise<void>
  /** Sets the relay's labels; false when they are others than `before` by now. */
  label(machineId: string, before: string, labels: string): Promise<boolean>
  /** Keeps the key that is to come. False when the machine has another public key by now. */
  proposeKey(machineId: string, publicKey: string, nextPublicKey: string): Promise<boolean>
  /** The key that was to come is the key, and the one before is good no more. False when it was not to come. */
  promoteKey(machineId: string, nextPublicKey: string, at: string): Promise<boolean>
  /** True when this call put it there; `at` null releases it. */
  quarantine(machineId: string, at: string | null): Promise<boolean>
  /** A few statements for many machines; never moves a time back. Ids that are not known are passed over. */
  seen(machineIds: readonly string[], at: string): Promise<void>
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

/** An operator's run. What it did is in its entries; `policy` is JSON, and never changes. */
export type RunRow = Readonly<Omit<RunSummary, 'runId'> & { id: string; policy: string | null }>

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
