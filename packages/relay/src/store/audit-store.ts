import type { AuditLink, AuditRow, SignedStatement } from '@cmdop/protocol'

export type { AuditRow }

/** A row in its place: its body is what was hashed, and everything else that can be asked of a row is read from it. */
export interface SealedAuditRow extends Pick<AuditLink, 'chain' | 'sequence'> {
  readonly fleetId: string
  /** Made by `auditBody`. */
  readonly body: string
}

/** A row that is stored. Positions grow in the order of writing, over all chains of all fleets. */
export interface StoredAuditRow extends AuditLink {
  readonly position: number
  readonly row: AuditRow
}

/** Which rows of a fleet, and in which order. */
export interface AuditListing extends Partial<AuditFieldFilter> {
  readonly rowId?: string
  readonly limit: number
  /** Default: `oldest` first. */
  readonly order?: 'newest' | 'oldest'
  /** Only those after this position in that order. */
  readonly after?: number
  /** `file.` for every action that begins so. */
  readonly actionPrefix?: string
  /** An intent and what followed it. */
  readonly ofIntent?: string
  readonly chain?: string
  readonly sequence?: number
  /** Milliseconds at least, and at most. */
  readonly durationMin?: number
  readonly durationMax?: number
  readonly since?: string
  readonly until?: string
}

/** Fields that must have exactly this value. */
export type AuditFieldFilter = { readonly [Field in AuditField | UnindexedField]: AuditRow[Field] }

/** Fields that are read from each row that fits everything else: nobody asks often. */
export const unindexedFields = ['principalName', 'bytes', 'offset'] as const satisfies readonly (keyof AuditRow)[]
type UnindexedField = (typeof unindexedFields)[number]

/** The fields that can be asked for by their value, each with an index. */
export const auditFields = [
  'kind',
  'principalId',
  'principalKind',
  'onBehalfOf',
  'keyId',
  'action',
  'machineId',
  'sessionId',
  'runId',
  'callId',
  'agentType',
  'model',
  'subject',
  'digest',
  'decision',
  'rule',
  'approvalId',
  'code',
  'exitCode',
  'requestId',
] as const satisfies readonly (keyof AuditRow)[]
export type AuditField = (typeof auditFields)[number]

/** The audit log. Its rows stand by themselves: they may name fleets and principals that are not in the store. */
export interface AuditStore {
  /**
   * Adds rows, all or none, whoever else writes. Rows cannot be changed, and be removed only up to an anchor. `conflict`
   * when there is a row at such a place in a chain, or of such an id.
   */
  append(rows: readonly SealedAuditRow[]): Promise<void>
  get(rowId: string): Promise<AuditRow | undefined>
  /** Does now what a question would have to wait for: rows are found by an index, which is written after them. */
  index(): Promise<void>
  /** Rows of one fleet. */
  list(fleetId: string, listing: AuditListing): Promise<StoredAuditRow[]>
  /** Rows of one chain as they are stored, in order, with `after < sequence <= until`. */
  sealed(place: Omit<SealedAuditRow, 'body' | 'sequence'>, page: SealedPage): Promise<SealedAuditRow[]>
  /** The last row of a chain. */
  head(fleetId: string, chain: string): Promise<SealedAuditRow | undefined>
  /** Notes that a chain begins. The same again changes nothing. */
  begin(fleetId: string, chain: string): Promise<void>
  /** The chains of a fleet, or of all, in order of their names. */
  chains(fleetId?: string): Promise<{ readonly fleetId: string; readonly chain: string }[]>
  /** Intents of a chain from a sequence on, in order, that were allowed and have no outcome in any chain. */
  openIntents(place: { fleetId: string; chain: string; from: number; limit: number }): Promise<SealedAuditRow[]>
  /** The newest row of an action in a chain. */
  newest(fleetId: string, chain: string, action: string): Promise<SealedAuditRow | undefined>
}

export interface SealedPage {
  readonly after: number
  readonly until: number
  readonly limit: number
}

/** A signed checkpoint of a fleet. */
export interface AuditCheckpointRow extends SignedStatement {
  readonly fleetId: string
  readonly number: number
}

/** A signed anchor, with the last row of each chain that it lets go. */
export interface AuditAnchorRow extends AuditCheckpointRow {
  readonly heads: readonly { readonly chain: string; readonly sequence: number }[]
}

/** The checkpoints of all fleets, and what was pruned. */
export interface AuditCheckpointStore {
  /** `conflict` when there is one of that number. */
  add(checkpoint: AuditCheckpointRow): Promise<void>
  newest(fleetId: string): Promise<AuditCheckpointRow | undefined>
  /** In order of their numbers. */
  list(fleetId: string, page: { after: number; limit: number }): Promise<AuditCheckpointRow[]>
  /** The newest anchor. */
  anchor(fleetId: string): Promise<SignedStatement | undefined>
  /** Writes an anchor: from now on rows and checkpoints up to it can be removed. */
  addAnchor(anchor: AuditAnchorRow): Promise<void>
  /** Removes some of what the anchors let go, at most `limit` rows. Gives back how many; 0 when nothing is left, `held` while somebody holds it. */
  prune(fleetId: string, limit: number): Promise<number | 'held'>
  /** Keeps everything of a fleet that is there, until a time; the same id again until a later one. False: it did not hold before. */
  hold(hold: AuditHold): Promise<boolean>
  /** Lets go of it. */
  release(holdId: string): Promise<void>
}

/** An export, while which nothing is pruned. */
export interface AuditHold {
  readonly id: string
  readonly fleetId: string
  readonly until: string
}
