import type { Kysely } from 'kysely'

/** Fleet runs wait for people, and approvals of many machines know which of their actions are alike. */
export async function createFleetGates(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('fleet_runs').addColumn('wait', 'text').execute()
  await db.schema
    .alterTable('fleet_runs')
    .addColumn('continued_wave', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('approvals').addColumn('fleet_run_id', 'text').execute()
  await db.schema
    .createIndex('approvals_fleet_run')
    .on('approvals')
    .columns(['fleet_run_id', 'created_at desc'])
    .execute()
  await db.schema.alterTable('approval_actions').addColumn('alike', 'integer').execute()
}
