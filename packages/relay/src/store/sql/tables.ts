import type { ApprovalActionRow, ApprovalEventRow, ApprovalRow, ApprovalVoteRow, GrantRow } from '../approval-store.ts'
import type { DeliveryRow, PageSessionRow, WebhookRow } from '../notification-store.ts'
import type { FleetRunOutcomeRow, FleetRunRow, FleetRunTargetRow } from '../fleet-run-store.ts'
import type { IdempotencyRow } from '../idempotency-store.ts'
import type { ScheduleResultRow, ScheduleRow, ScheduleRunRow } from '../schedule-store.ts'
import type { PolicyRow } from '../policy-store.ts'
import type { SkillFileRow, SkillReviewRow, SkillRow, SkillVersionRow } from '../skill-store.ts'
import type { TunnelRow } from '../tunnel-store.ts'
import type {
  ColumnDefinitionBuilder,
  CompiledQuery,
  Expression,
  Generated,
  GeneratedAlways,
  Kysely,
  RawBuilder,
  SqlBool,
} from 'kysely'
import type {
  AuditAnchorRow,
  AuditCheckpointRow,
  AuditHold,
  AuditField,
  AuditRow,
  SealedAuditRow,
} from '../audit-store.ts'
import type { FleetSettingsRow, InvitationRow, SignInCodeRow, TotpRow } from '../identity.ts'
import type {
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
  apiKeys: Omit<KeyRow, 'scopes' | 'ipRanges' | 'fleetDisabledAt'> & { scopes: string | null; ipRanges: string | null }
  /** Groups are JSON. */
  invitations: Omit<InvitationRow, 'groups'> & { groups: string }
  signInCodes: SignInCodeRow
  /** Its secret is sealed. */
  totp: TotpRow
  enrollmentTokens: EnrollmentTokenRow
  tickets: TicketRow
  machines: MachineRow
  /** Subject and manifest are JSON. */
  recordings: Omit<RecordingRow, 'subject' | 'manifest'> & { subject: string; manifest: string | null }
  runs: RunRow
  /** Why it stopped, and what it waits for, is JSON. */
  fleetRuns: Omit<FleetRunRow, 'stop' | 'wait'> & { stop: string | null; wait: string | null }
  fleetRunTargets: Omit<FleetRunTargetRow, 'outcome' | 'row'>
  fleetRunOutcomes: FleetRunOutcomeRow
  /** `previous` is the position before, which must be there; null for the first. */
  runEntries: RunEntryRow & { previous: number | null }
  /** Its requirement and ids are JSON, its flags are 0 or 1. */
  approvals: Omit<ApprovalRow, 'requirement' | 'lentByIds' | 'fourEyes' | 'deletes' | 'doNotRetry'> & {
    requirement: string
    lentByIds: string
    fourEyes: number
    deletes: number
    doNotRetry: number
  }
  /** Action, effect, what was edited and what was signed are JSON. */
  approvalActions: Omit<ApprovalActionRow, 'action' | 'effect' | 'edited' | 'signed' | 'alike'> & {
    /** Null: from before there were such. */
    alike: number | null
    action: string
    effect: string | null
    edited: string | null
    signed: string | null
  }
  approvalVotes: ApprovalVoteRow
  /** `told`: 0 or 1. */
  approvalEvents: Omit<ApprovalEventRow, 'position'> & { position: Generated<number>; told: number }
  /** Its url and secret are sealed, its events are JSON, its flags are 0 or 1. */
  webhooks: Omit<WebhookRow, 'events' | 'includeCommand' | 'enabled'> & {
    events: string
    includeCommand: number
    enabled: number
  }
  deliveries: DeliveryRow
  pageSessions: PageSessionRow
  /** Tags and publication are JSON. */
  skills: Omit<SkillRow, 'tags' | 'publication' | SkillCount> & {
    tags: string
    publication: Generated<string | null>
  } & Readonly<Record<SkillCount, Generated<number>>>
  /** Its manifest is JSON. */
  skillVersions: Omit<SkillVersionRow, 'manifest'> & { manifest: string }
  /** `executable`: 0 or 1. */
  skillFiles: Omit<SkillFileRow, 'executable'> & { versionId: string; executable: number }
  skillDigests: { fleetId: string; slug: string; version: string; sha256: string }
  /** Names that were ever public, and whose they are for ever. */
  skillPublicSlugs: { slug: string; fleetId: string }
  skillTags: { skillId: string; tag: string }
  skillStars: { skillId: string; principalId: string; createdAt: string }
  skillInstalls: { skillId: string; principalId: string; version: string; createdAt: string; updatedAt: string }
  skillReviews: SkillReviewRow
  /** Its addresses are JSON, its flag is 0 or 1. */
  tunnels: Omit<TunnelRow, 'allowedPeers' | 'insecureTls'> & { allowedPeers: string | null; insecureTls: number }
  /** A machine of '' is the fleet itself. */
  idempotencyKeys: IdempotencyRow
  policies: Omit<PolicyRow, 'machineId'> & { machineId: string }
  /** Its words are JSON. */
  grants: Omit<GrantRow, 'words'> & { words: string }
  /** What it does is JSON, its flag is 0 or 1. */
  schedules: Omit<ScheduleRow, 'work' | 'isEnabled'> & { work: string; isEnabled: number }
  /** Work and counts are JSON, its flag is 0 or 1. */
  scheduleRuns: Omit<ScheduleRunRow, 'work' | 'counts' | 'isTold' | 'trigger'> & {
    work: string | null
    counts: string
    isTold: number
    triggerKind: ScheduleRunRow['trigger']
  }
  /** Its flag is 0 or 1. */
  scheduleResults: Omit<ScheduleResultRow, 'outputTruncated'> & { outputTruncated: number }
  /** The id is read from the body. */
  audit: SealedAuditRow & { position: Generated<number>; id: GeneratedAlways<string> }
  /** What rows are found by; filled from their bodies by the database. */
  auditIndex: { position: number; fleetId: string } & {
    [Field in AuditField | 'at' | 'intentId']: AuditRow[Field]
  }
  auditChains: { fleetId: string; chain: string }
  auditCheckpoints: AuditCheckpointRow
  auditAnchors: Omit<AuditAnchorRow, 'heads'>
  auditHolds: AuditHold
  auditAnchorHeads: { fleetId: string; chain: string; sequence: number }
  /** At most one row; its `id` is 1. */
  relayKey: RelayKeyRow & { id: number }
}

/** What is counted of a skill. */
type SkillCount = 'installCount' | 'downloadCount' | 'starCount' | 'reviewCount'

/** A connected database. Its errors are those of the port already. */
export type Database = Kysely<Tables>

/** Finds one row by its key, for what every request waits for. Sees what is committed. */
export type Lookup = <Row>(query: CompiledQuery) => Promise<Row | undefined>

/** Reads a page of rows in the order of an index, so that none is looked at in vain. Sees what is committed. */
export type ReadPage = <Row>(query: CompiledQuery) => Promise<Row[]>

/** Runs a writing statement for which an action waits; resolves when it is committed, with how many rows it has written. */
export type Run = (query: CompiledQuery) => Promise<number>

/** What SQL engines say differently. One implementation, in one file, for each. */
export interface SqlEngine {
  /** Makes a column the primary key that the database counts up, never using a number twice. */
  counting(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder
  /** A field of the row in the column `body` of the audit log, as the database itself reads it. */
  fieldOfBody(field: string): RawBuilder<string | number | null>
  /** Makes the database refuse to change or delete rows of a table, but to delete those for which this holds of `old`. */
  makeAppendOnly(db: Kysely<unknown>, table: string, mayDelete?: RawBuilder<unknown>): Promise<void>
  /** `column` is one of `values`, however many there are, in one parameter. */
  isAnyOf(column: string, values: readonly string[]): Expression<SqlBool>
}
