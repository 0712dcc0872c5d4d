import { CmdopError } from '@cmdop/protocol'
import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { createFirstTables } from './migration-0001.ts'
import { createRecordings } from './migration-0002.ts'
import { createRuns } from './migration-0003.ts'
import { createApprovals } from './migration-0006.ts'
import { chainAudit } from './migration-0004.ts'
import { createIdentity } from './migration-0005.ts'
import { createNotifications } from './migration-0007.ts'
import { createFleetWork } from './migration-0008.ts'
import { sealSecrets } from './migration-0009.ts'
import { lockTotp } from './migration-0010.ts'
import { createFleetGates } from './migration-0011.ts'
import { dateApprovals } from './migration-0012.ts'
import { createSkills } from './migration-0015.ts'
import { createSchedules } from './migration-0014.ts'
import { createTunnels } from './migration-0013.ts'
import { joinFleets } from './migration-0016.ts'
import { createIdempotencyKeys } from './migration-0017.ts'
import type { Seal } from '../seal.ts'
import type { SqlEngine } from './tables.ts'

/** Every migration there is, in order of name. Released ones are never changed. */
function migrations(engine: SqlEngine, seal: Seal): Record<string, Migration> {
  return {
    '0001-first-tables': { up: (db) => createFirstTables(db, engine) },
    '0002-recordings': { up: createRecordings },
    '0003-runs': { up: (db) => createRuns(db, engine) },
    '0004-audit-chain': { up: (db) => chainAudit(db, engine) },
    '0005-identity': { up: createIdentity },
    '0006-approvals': { up: createApprovals },
    '0007-notifications': { up: (db) => createNotifications(db, engine) },
    '0008-fleet-work': { up: (db) => createFleetWork(db, engine) },
    '0009-sealed-secrets': { up: (db) => sealSecrets(db, seal) },
    '0010-totp-lock': { up: lockTotp },
    '0011-fleet-gates': { up: createFleetGates },
    '0012-approval-generations': { up: dateApprovals },
    '0013-tunnels': { up: createTunnels },
    '0014-schedules': { up: createSchedules },
    '0015-skills': { up: createSkills },
    '0016-fleets': { up: joinFleets },
    '0017-idempotency': { up: createIdempotencyKeys },
  }
}

/**
 * Brings a database to the newest schema, all or nothing, also when several relays start on it at once.
 * `config` when a newer relay has been there: its migrations are unknown here, and an older relay would break its rows.
 */
export async function migrate<Tables>(db: Kysely<Tables>, engine: SqlEngine, seal: Seal): Promise<void> {
  const known = migrations(engine, seal)
  await db.transaction().execute(async (transaction) => {
    const newer = (await appliedMigrations(transaction)).filter((name) => !Object.hasOwn(known, name))
    if (newer.length > 0) {
      throw new CmdopError(
        'config',
        `Expected a database of this version of the relay or an older one, got one with ${newer.join(', ')}; start the newer relay.`,
        { details: { unknownMigrations: newer } },
      )
    }
    const provider = { getMigrations: async () => known }
    const { error } = await new Migrator({ db: transaction, provider }).migrateToLatest()
    if (error !== undefined) throw error
  })
}

async function appliedMigrations<Tables>(db: Kysely<Tables>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some((table) => table.name === 'kysely_migration')) return []
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db)
  return rows.map((row) => row.name)
}
