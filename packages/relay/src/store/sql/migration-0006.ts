import { type Kysely, sql } from 'kysely'

const required = (table: string[], optional: string[] = []) => ({ required: table, optional })

const approvals = required(
  [
    'state',
    'title',
    'reason',
    'danger',
    'danger_reason',
    'rule',
    'requester_id',
    'requester_name',
    'requester_kind',
    'person_id',
    'lent_by_ids',
    'plan_digest',
    'requirement',
    'created_at',
    'expires_at',
  ],
  ['run_id', 'agent_type', 'model', 'call_id', 'edited_by', 'edited_from', 'decided_at'],
)

/** Approvals, votes, grants and policies, with an index for every query of the port. */
export async function createApprovals(db: Kysely<unknown>): Promise<void> {
  let table = db.schema
    .createTable('approvals')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
  for (const name of approvals.required) table = table.addColumn(name, 'text', (column) => column.notNull())
  for (const name of approvals.optional) table = table.addColumn(name, 'text')
  for (const name of ['four_eyes', 'deletes', 'do_not_retry'])
    table = table.addColumn(name, 'integer', (column) => column.notNull())
  await table.execute()
  await createIndexes(db, 'approvals', {
    newest: ['fleet_id', 'created_at desc', 'id'],
    state: ['fleet_id', 'state', 'created_at desc', 'id'],
    call: ['requester_id', 'call_id'],
    run: ['run_id'],
    expiry: ['state', 'expires_at'],
  })
  await db.schema
    .createTable('approval_actions')
    .addColumn('approval_id', 'text', (column) => column.notNull().references('approvals.id'))
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('machine_id', 'text', (column) => column.notNull())
    .addColumn('machine_name', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('effect', 'text')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('call_id', 'text')
    .addColumn('edited', 'text')
    .addColumn('signed', 'text')
    .addPrimaryKeyConstraint('approval_actions_key', ['approval_id', 'position'])
    .execute()
  await createIndexes(db, 'approval_actions', { machine: ['machine_id', 'approval_id'] })
  await db.schema
    .createTable('approval_votes')
    .addColumn('approval_id', 'text', (column) => column.notNull().references('approvals.id'))
    .addColumn('person_id', 'text', (column) => column.notNull())
    .addColumn('person_name', 'text', (column) => column.notNull())
    .addColumn('vote', 'text', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('approval_votes_key', ['approval_id', 'person_id'])
    .execute()
  await createGrants(db)
  await db.schema.alterTable('runs').addColumn('policy', 'text').execute()
  await db.schema
    .createTable('policies')
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('machine_id', 'text', (column) => column.notNull())
    .addColumn('document', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .addColumn('updated_by_id', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('policies_key', ['fleet_id', 'machine_id'])
    .execute()
}

async function createGrants(db: Kysely<unknown>): Promise<void> {
  let table = db.schema
    .createTable('grants')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('approval_id', 'text', (column) => column.notNull().references('approvals.id'))
    .addColumn('revoked_at', 'text')
    .addColumn('ended_at', 'text')
    .addColumn('uses', 'integer', (column) => column.notNull())
  for (const name of [
    'machine_id',
    'digest',
    'text',
    'words',
    'granted_to_id',
    'granted_to_kind',
    'granted_by_id',
    'created_at',
    'expires_at',
  ])
    table = table.addColumn(name, 'text', (column) => column.notNull())
  await table.execute()
  await createIndexes(db, 'grants', {
    newest: ['fleet_id', 'created_at desc', 'id'],
    holder: ['granted_to_id', 'machine_id', 'expires_at'],
  })
  const once = ['approval_id', 'digest', 'granted_by_id']
  await db.schema.createIndex('grants_once').on('grants').columns(once).unique().execute()
  await db.schema
    .createIndex('grants_over')
    .on('grants')
    .column('expires_at')
    .where(sql.ref('ended_at'), 'is', null)
    .where(sql.ref('revoked_at'), 'is', null)
    .execute()
}

async function createIndexes(db: Kysely<unknown>, table: string, indexes: Record<string, string[]>): Promise<void> {
  for (const [name, columns] of Object.entries(indexes))
    await db.schema.createIndex(`${table}_${name}`).on(table).columns(columns).execute()
}
