import { type Kysely, sql } from 'kysely'

/** Columns of machines that are new, all of them empty at first. */
const machineColumns = [
  'created_by_id',
  'key_registered_at',
  'connected_at',
  'connects',
  'description',
  'metrics',
] as const

/**
 * Several fleets: which member rows are one person, fleets that are disabled, machines that several fleets use, and what a
 * daemon says of its machine.
 */
export async function joinFleets(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('fleets').addColumn('disabled_at', 'text').execute()
  await db.schema.alterTable('principals').addColumn('person_id', 'text').execute()
  await db.schema
    .createIndex('principals_person')
    .on('principals')
    .columns(['person_id', 'fleet_id'])
    .unique()
    .where(sql.ref('person_id'), 'is not', null)
    .where(sql.ref('removed_at'), 'is', null)
    .execute()
  await db.schema.alterTable('machines').addColumn('key_version', 'integer').execute()
  for (const name of machineColumns) await db.schema.alterTable('machines').addColumn(name, 'text').execute()
  await db.schema
    .createTable('machine_links')
    .addColumn('machine_id', 'text', (column) => column.notNull().references('machines.id'))
    .addColumn('fleet_id', 'text', (column) => column.notNull().references('fleets.id'))
    .addColumn('joined_at', 'text', (column) => column.notNull())
    .addColumn('added_by_id', 'text', (column) => column.notNull().references('principals.id'))
    .addPrimaryKeyConstraint('machine_links_key', ['fleet_id', 'machine_id'])
    .execute()
  await db.schema.createIndex('machine_links_machine').on('machine_links').columns(['machine_id']).execute()
}
