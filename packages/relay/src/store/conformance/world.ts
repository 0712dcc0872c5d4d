import { auditBody, NO_AUDIT_HASH } from '@cmdop/protocol'
import type { SealedAuditRow } from '../audit-store.ts'
import type {
  AuditRow,
  EnrollmentTokenRow,
  FleetRow,
  KeyRow,
  MachineRow,
  PrincipalRow,
  RecordingRow,
  Store,
} from '../store.ts'

/** One empty store under test; disposing of it removes its data. */
export interface StoreWorld extends AsyncDisposable {
  readonly store: Store
  /** Closes the store and opens another on the same data. */
  reopen(): Promise<Store>
}

/** Makes a world with an empty store. */
export type OpenStore = () => Promise<StoreWorld>

let made = 0

/** A new id; ids grow in the order they are made. */
export function newId(kind: string): string {
  made += 1
  return `${kind}_${String(made).padStart(9, '0')}`
}

/** The time `seconds` after the beginning of the tests' day. */
export function at(seconds: number): string {
  return new Date(Date.UTC(2030, 0, 1) + seconds * 1000).toISOString()
}

/** A fleet with its owner, in the store. */
export async function addFleet(store: Store): Promise<{ fleet: FleetRow; owner: PrincipalRow }> {
  const fleet = fleetRow()
  const owner = principalRow(fleet.id)
  await store.fleets.create(fleet, owner)
  return { fleet, owner }
}

/** A fleet that is not in the store yet, with what is changed; the same for the other rows. */
export function fleetRow(change: Partial<FleetRow> = {}): FleetRow {
  const id = newId('fleet')
  return { id, name: 'Fleet', slug: `slug-${id}`, createdAt: at(0), disabledAt: null, ...change }
}

/** A person who owns the fleet. */
export function principalRow(fleetId: string, change: Partial<PrincipalRow> = {}): PrincipalRow {
  const id = newId('principal')
  const blank = {
    email: null,
    groups: [],
    invitedById: null,
    removedAt: null,
    personId: null,
    confirmedAt: null,
    controlChangedAt: null,
  }
  return {
    id,
    fleetId,
    kind: 'human',
    name: 'Ada',
    role: 'owner',
    actsForId: null,
    createdAt: at(0),
    ...blank,
    ...change,
  }
}

/** A key that is neither expired nor revoked. */
export function keyRow(owner: PrincipalRow, change: Partial<KeyRow> = {}): KeyRow {
  return {
    id: newId('key'),
    fleetId: owner.fleetId,
    principalId: owner.id,
    name: 'laptop',
    secretHash: 'ab'.repeat(32),
    prefix: 'cmdop_human_ab',
    createdAt: at(0),
    expiresAt: null,
    lastUsedAt: null,
    revokedAt: null,
    credential: 'key',
    role: null,
    scopes: null,
    ipRanges: null,
    maxTargetsPerRun: null,
    rotatedFrom: null,
    parentId: null,
    lentById: null,
    ip: null,
    userAgent: null,
    fleetDisabledAt: null,
    ...change,
  }
}

/** A token for one use within an hour. */
export function tokenRow(owner: PrincipalRow, change: Partial<EnrollmentTokenRow> = {}): EnrollmentTokenRow {
  return {
    id: newId('token'),
    fleetId: owner.fleetId,
    secretHash: 'cd'.repeat(32),
    createdById: owner.id,
    createdAt: at(0),
    expiresAt: at(3600),
    maxUses: 1,
    uses: 0,
    labels: '{}',
    ...change,
  }
}

/** A machine that was never seen. */
export function machineRow(fleetId: string, change: Partial<MachineRow> = {}): MachineRow {
  const id = newId('machine')
  return {
    id,
    fleetId,
    name: `name-${id}`,
    hostname: `host-${id}`,
    os: 'linux',
    architecture: 'x64',
    agentVersion: '0.1.0',
    publicKey: '-----BEGIN PUBLIC KEY-----',
    createdAt: at(1),
    lastSeenAt: null,
    disabledAt: null,
    nextPublicKey: null,
    quarantinedAt: null,
    labels: '{}',
    reportedLabels: '{}',
    homeFleetId: fleetId,
    createdById: null,
    keyVersion: 1,
    keyRegisteredAt: null,
    connectedAt: null,
    connects: null,
    description: null,
    metrics: null,
    ...change,
  }
}

/** An intent that was allowed. */
export function auditRow(fleetId: string, change: Partial<AuditRow> = {}): AuditRow {
  return {
    id: newId('audit'),
    kind: 'intent',
    fleetId,
    at: at(2),
    action: 'exec',
    decision: 'allow',
    intentId: null,
    principalId: 'principal_1',
    principalKind: null,
    principalName: null,
    onBehalfOf: null,
    keyId: null,
    machineId: null,
    sessionId: null,
    runId: null,
    agentType: null,
    model: null,
    callId: null,
    subject: null,
    digest: null,
    rule: null,
    approvalId: null,
    code: null,
    exitCode: null,
    durationMs: null,
    requestId: null,
    bytes: null,
    offset: null,
    ...change,
  }
}

/** Rows in their places: one after another in a chain, a new one unless named. */
export function sealedRows(
  rows: readonly AuditRow[],
  { chain = newId('chain'), from = 1 }: { chain?: string; from?: number } = {},
): SealedAuditRow[] {
  return rows.map((row, index) => {
    const place = { chain, sequence: from + index }
    return { fleetId: row.fleetId, ...place, body: auditBody(row, { ...place, previous: NO_AUDIT_HASH }) }
  })
}

/** A recording that is not over. */
export function recordingRow(machine: MachineRow, change: Partial<RecordingRow> = {}): RecordingRow {
  const recordingId = newId('rec')
  const { id: machineId, fleetId } = machine
  const subject = {
    recordingId,
    kind: 'exec' as const,
    subjectId: `call-${recordingId}`,
    machineId,
    fleetId,
    principalId: 'principal_1',
    principalKind: 'human',
    principalName: 'Ada',
    onBehalfOf: null,
    intentId: 'audit_1',
    title: 'true',
    reason: null,
    startedAt: at(3),
  }
  const { kind, subjectId, startedAt } = { ...subject, ...change }
  return {
    id: recordingId,
    fleetId,
    machineId,
    subject: { ...subject, kind, subjectId, startedAt },
    state: 'open',
    manifest: null,
    blob: recordingId,
    blobOffset: 0,
    bytes: null,
    ...change,
    kind,
    subjectId,
    startedAt,
  }
}

/** Machines in the store, in the given order, by way of a token that is made for them. */
export async function addMachines(
  store: Store,
  owner: PrincipalRow,
  changes: readonly Partial<MachineRow>[],
): Promise<MachineRow[]> {
  const token = tokenRow(owner, { maxUses: changes.length })
  await store.enrollmentTokens.create(token)
  const machines = changes.map((change) => machineRow(owner.fleetId, change))
  for (const machine of machines) await store.machines.enroll(machine, token.id)
  return machines
}
