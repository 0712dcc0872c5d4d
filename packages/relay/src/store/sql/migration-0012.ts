import type { Kysely } from 'kysely'

/** An approval of a fleet run knows in which generation of it people were asked. */
export async function dateApprovals(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('approvals').addColumn('fleet_run_generation', 'integer').execute()
}
