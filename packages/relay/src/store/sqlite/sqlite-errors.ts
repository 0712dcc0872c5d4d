import { CmdopError } from '@cmdop/protocol'
import type { WorkerFailure } from './worker-messages.ts'

/** Extended result codes, from https://www.sqlite.org/rescode.html */
const uniqueViolations = new Set([1555, 2067, 2579])
const foreignKeyViolation = 787
/** Primary codes of a file that cannot be used just now: BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN. */
const unusable = new Set([5, 6, 8, 10, 13, 14])

/**
 * What SQLite says, as an error of the port. The one place that knows its result codes.
 *
 * `conflict` for a unique value that is taken (`details`: `table`, `columns`), `not_found` for a reference to a row that
 * is not there, `unavailable` while the file cannot be used, `server` for the rest.
 */
export function toStoreError(failure: WorkerFailure): CmdopError {
  const { sqliteCode, message } = failure
  const cause = new Error(message)
  if (sqliteCode === null) return new CmdopError('server', `The store refused a statement: ${message}`, { cause })
  if (uniqueViolations.has(sqliteCode)) return conflict(message, cause)
  if (sqliteCode === foreignKeyViolation) {
    return new CmdopError('not_found', 'The row refers to one that is not in the store; add that one first.', { cause })
  }
  if (unusable.has(sqliteCode & 0xff)) {
    return new CmdopError('unavailable', `The store cannot use its file now (${message}); try again.`, { cause })
  }
  return new CmdopError('server', `The store refused a statement: ${message}.`, { cause })
}

/** SQLite names the columns: `UNIQUE constraint failed: machines.fleet_id, machines.name`. */
function conflict(message: string, cause: Error): CmdopError {
  const fields = (message.split(': ')[1] ?? '').split(', ').map((field) => field.split('.'))
  const table = fields[0]?.[0] ?? ''
  const columns = fields.map((field) => field[1] ?? '')
  const taken = `That ${spoken(columns.at(-1) ?? '')} is taken among ${spoken(table)}; choose another one.`
  return new CmdopError('conflict', taken, { cause, details: { table, columns } })
}

/** A name of the schema as people say it: `api keys`. */
function spoken(name: string): string {
  return name.replaceAll('_', ' ')
}
