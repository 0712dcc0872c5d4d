import { type Kysely, sql } from 'kysely'

/** Columns of machines that are new, all of them empty at first. */
const machineColumns = [
  'created_by_id',
  'key_registered_at',
  'connected_at',
  'connects',
  'description',
  'metrics',
  'home_fleet_id',
] as const

/**
 * Several fleets: which member rows are one person and who vouches for him, fleets that are disabled, where a machine enrolled,
 * and what its daemon says of it.
 */
export async function joinFleets(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('fleets').addColumn('disabled_at', 'text').execute()
  for (const name of ['person_id', 'confirmed_at', 'control_changed_at'])
    await db.schema.alterTable('principals').addColumn(name, 'text').execute()
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
  // Until now a machine was where it enrolled.
  await sql`update machines set home_fleet_id = fleet_id`.execute(db)
}
