import { type Kysely, sql } from 'kysely'
import { auditBody, type AuditRow, NO_AUDIT_HASH } from '@cmdop/protocol'
import { hash } from 'node:crypto'
import type { SqlEngine } from './tables.ts'

/** Rows carried over at once: far below what a statement has parameters. */
const CARRIED_AT_ONCE = 500

/** The chain of rows that are older than chains. What they said before is not proven; from here on it is. */
const IMPORTED_CHAIN = 'imported'

/** Fields by which rows are found quickly, and other ones. */
const indexed = [
  'intent_id',
  'principal_id',
  'principal_kind',
  'on_behalf_of',
  'key_id',
  'action',
  'machine_id',
  'session_id',
  'run_id',
  'call_id',
  'agent_type',
  'model',
  'subject',
  'digest',
  'decision',
  'rule',
  'approval_id',
  'code',
  'request_id',
]
const found = ['kind']

/** The audit log in chains, its checkpoints and anchors. The rows that were there become the chain `imported`. */
export async function chainAudit(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await db.schema.alterTable('audit').renameTo('audit_before_chains').execute()
  await createAnchors(db, engine)
  await createRows(db, engine)
  await createCheckpoints(db, engine)
  await createHolds(db)
  await carryOver(db)
  await db.schema.dropTable('audit_before_chains').execute()
  await engine.makeAppendOnly(
    db,
    'audit',
    sql`exists (select 1 from audit_anchor_heads as gone where gone.fleet_id = old.fleet_id and gone.chain = old.chain
      and gone.sequence >= old.sequence)`,
  )
}

/** An action waits for its row: what finds rows is another table, which is filled later. */
async function createRows(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await db.schema
    .createTable('audit')
    .addColumn('position', 'integer', (column) => engine.counting(column))
    .addColumn('fleet_id', 'text', (column) => column.notNull())
    .addColumn('chain', 'text', (column) => column.notNull())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.generatedAlwaysAs(engine.fieldOfBody('id')).notNull())
    .addUniqueConstraint('audit_place', ['fleet_id', 'chain', 'sequence'])
    .addUniqueConstraint('audit_row_id', ['id'])
    .execute()
  const index = db.schema
    .createTable('audit_index')
    .addColumn('position', 'integer', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('exit_code', 'integer')
  await [...indexed, ...found].reduce((table, name) => table.addColumn(name, 'text'), index).execute()
  await db.schema.createIndex('audit_newest').on('audit_index').columns(['fleet_id', 'position']).execute()
  await db.schema.createIndex('audit_at').on('audit_index').columns(['fleet_id', 'at']).execute()
  for (const name of [...indexed, 'exit_code']) {
    await db.schema
      .createIndex(`audit_by_${name}`)
      .on('audit_index')
      .columns(['fleet_id', name, 'position'])
      .where(sql.ref(name), 'is not', null)
      .execute()
  }
  await engine.makeAppendOnly(
    db,
    'audit_index',
    sql`not exists (select 1 from audit where audit.position = old.position)`,
  )
  await db.schema
    .createTable('audit_chains')
    .addColumn('fleet_id', 'text', (column) => column.notNull())
    .addColumn('chain', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('audit_chains_key', ['fleet_id', 'chain'])
    .execute()
  await engine.makeAppendOnly(db, 'audit_chains')
}

async function createCheckpoints(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await createStatements(db, 'audit_checkpoints')
  await engine.makeAppendOnly(
    db,
    'audit_checkpoints',
    sql`exists (select 1 from audit_anchors as gone where gone.fleet_id = old.fleet_id and gone.number >= old.number)`,
  )
}

/** Exports that run, and until when nothing of their fleets is pruned. */
async function createHolds(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit_holds')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull())
    .addColumn('until', 'text', (column) => column.notNull())
    .execute()
}

async function createAnchors(db: Kysely<unknown>, engine: SqlEngine): Promise<void> {
  await createStatements(db, 'audit_anchors')
  await db.schema
    .createTable('audit_anchor_heads')
    .addColumn('fleet_id', 'text', (column) => column.notNull())
    .addColumn('chain', 'text', (column) => column.notNull())
    .addColumn('sequence', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('audit_anchor_heads_key', ['fleet_id', 'chain', 'sequence'])
    .execute()
  for (const table of ['audit_anchors', 'audit_anchor_heads']) await engine.makeAppendOnly(db, table)
}

async function createStatements(db: Kysely<unknown>, table: string): Promise<void> {
  await db.schema
    .createTable(table)
    .addColumn('fleet_id', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('signature', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint(`${table}_key`, ['fleet_id', 'number'])
    .execute()
}

/** A row as the first version had it, by the names of its columns. */
interface OldRow {
  readonly position: number
  readonly [column: string]: string | number | null
}

async function carryOver(db: Kysely<unknown>): Promise<void> {
  const heads = new Map<string, { sequence: number; previous: string }>()
  for (let after = 0; ;) {
    const { rows } = await sql<OldRow>`select * from audit_before_chains where position > ${after} order by position
      limit ${CARRIED_AT_ONCE}`.execute(db)
    if (rows.length === 0) return
    const sealed = rows.map((old) => {
      const row = toRow(old)
      const head = heads.get(row.fleetId) ?? { sequence: 0, previous: NO_AUDIT_HASH }
      const sequence = head.sequence + 1
      const body = auditBody(row, { chain: IMPORTED_CHAIN, sequence, previous: head.previous })
      heads.set(row.fleetId, { sequence, previous: hash('sha256', body) })
      return { fleetId: row.fleetId, sequence, body }
    })
    for (const { fleetId } of sealed.filter(({ sequence }) => sequence === 1))
      await sql`insert into audit_chains (fleet_id, chain) values (${fleetId}, ${IMPORTED_CHAIN})`.execute(db)
    const values = sealed.map(
      ({ fleetId, sequence, body }) => sql`(${fleetId}, ${IMPORTED_CHAIN}, ${sequence}, ${body})`,
    )
    await sql`insert into audit (fleet_id, chain, sequence, body) values ${sql.join(values)}`.execute(db)
    after = rows.at(-1)?.position ?? after
  }
}

/** The plugin of the store may have renamed the columns of an answer. */
function toRow(old: OldRow): AuditRow {
  const of = (snake: string, camel: string) => old[camel] ?? old[snake] ?? null
  return {
    id: String(old['id']),
    kind: old['kind'] === 'outcome' ? 'outcome' : 'intent',
    fleetId: String(of('fleet_id', 'fleetId')),
    at: String(old['at']),
    action: String(old['action']),
    decision: old['decision'] === 'allow' ? 'allow' : 'deny',
    intentId: of('intent_id', 'intentId') as string | null,
    principalId: String(of('principal_id', 'principalId')),
    principalKind: null,
    principalName: null,
    onBehalfOf: null,
    keyId: null,
    machineId: of('machine_id', 'machineId') as string | null,
    sessionId: null,
    runId: null,
    agentType: null,
    model: null,
    callId: of('call_id', 'callId') as string | null,
    subject: null,
    digest: old['digest'] as string | null,
    rule: null,
    approvalId: null,
    code: old['code'] as string | null,
    exitCode: of('exit_code', 'exitCode') as number | null,
    durationMs: of('duration_ms', 'durationMs') as number | null,
    requestId: of('request_id', 'requestId') as string | null,
    bytes: null,
    offset: null,
  }
}
