import { type ExpressionBuilder, sql } from 'kysely'
import type { MachineRow } from '../store.ts'
import type { Database, Tables } from './tables.ts'

/** Candidates that are given at most. */
const maxCandidates = 10
/** A shorter reference is not taken for the beginning of a name. */
const minPrefix = 2
/** No text that begins with a prefix sorts after the prefix and this. */
const lastCharacter = '\u{10ffff}'

/** What a reference can mean, the first that fits wins. */
const referable = ['id', 'hostname', 'name'] as const
type Referable = (typeof referable)[number]

/** The enabled machines of a fleet that a reference can mean; see `MachineStore.resolve`. */
export async function resolveMachine(db: Database, fleetId: string, reference: string): Promise<MachineRow[]> {
  const exact = await findExact(db, fleetId, reference)
  for (const column of referable) {
    const fitting = exact.filter((machine) => machine[column] === reference)
    if (fitting.length > 0) return fitting
  }
  return reference.length < minPrefix ? [] : await findByPrefix(db, fleetId, reference)
}

/** Sorted by what fits, so that many machines of one hostname cannot push out the one with that id. */
async function findExact(db: Database, fleetId: string, reference: string): Promise<MachineRow[]> {
  return await enabled(db)
    .where((eb) => eb.or(referable.map((column) => eb.and([eb('fleetId', '=', fleetId), eb(column, '=', reference)]))))
    .orderBy((eb) => {
      const first = eb.case().when('id', '=', reference).then(sql.lit(0))
      return first.when('hostname', '=', reference).then(sql.lit(1)).else(sql.lit(2)).end()
    })
    .orderBy('name')
    .limit(maxCandidates)
    .execute()
}

async function findByPrefix(db: Database, fleetId: string, prefix: string): Promise<MachineRow[]> {
  return await enabled(db)
    .where((eb) => eb.or(referable.map((column) => beginsWith(eb, { fleetId, column, prefix }))))
    .orderBy('name')
    .limit(maxCandidates)
    .execute()
}

/** As a range, which an index answers. The fleet is in every branch of the OR, so that each branch has its index. */
function beginsWith(
  eb: ExpressionBuilder<Tables, 'machines'>,
  { fleetId, column, prefix }: { fleetId: string; column: Referable; prefix: string },
) {
  return eb.and([eb('fleetId', '=', fleetId), eb(column, '>=', prefix), eb(column, '<', prefix + lastCharacter)])
}

function enabled(db: Database) {
  return db.selectFrom('machines').selectAll().where('disabledAt', 'is', null)
}
