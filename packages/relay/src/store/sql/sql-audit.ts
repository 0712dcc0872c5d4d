import type { AuditRow, AuditStore } from '../store.ts'
import type { Database } from './tables.ts'

/** {@link AuditStore} in SQL. */
export function createAuditStore(db: Database): AuditStore {
  const insert = db.insertInto('audit').values(blankRow).compile()
  return {
    // Every action waits for this: the statement is compiled once, and only its parameters change.
    append: async (row) => {
      await db.executeQuery({ ...insert, parameters: columns.map((column) => row[column]) })
    },
    get: async (rowId) => {
      const found = await db.selectFrom('audit').selectAll().where('id', '=', rowId).executeTakeFirst()
      if (found === undefined) return undefined
      const { position: _, ...row } = found
      return row
    },
    list: async (fleetId, { limit, after, callId, machineId }) => {
      const rows = await db
        .selectFrom('audit')
        .selectAll()
        .where('fleetId', '=', fleetId)
        .$if(after !== undefined, (q) => q.where('position', '>', after ?? 0))
        .$if(callId !== undefined, (q) => q.where('callId', '=', callId ?? ''))
        .$if(machineId !== undefined, (q) => q.where('machineId', '=', machineId ?? ''))
        .orderBy('position')
        .limit(limit)
        .execute()
      return rows.map(({ position, ...row }) => ({ position, row }))
    },
  }
}

/** Its keys are the columns, in the order of the parameters; its values only have the right types. */
const blankRow: AuditRow = {
  id: '',
  kind: 'intent',
  fleetId: '',
  intentId: '',
  at: '',
  principalId: '',
  action: '',
  machineId: '',
  callId: '',
  digest: '',
  decision: 'deny',
  code: '',
  exitCode: 0,
  durationMs: 0,
  requestId: '',
}
const columns = Object.keys(blankRow) as (keyof AuditRow)[]
