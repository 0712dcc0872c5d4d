import { hash } from 'node:crypto'
import { isFailure } from '@cmdop/protocol'
import type { FleetRow } from '../run/fleet-row.ts'

/** Rows that ended in the same way and gave the same. */
export interface RowGroup<Result> {
  readonly rows: readonly FleetRow<Result>[]
  /** How it ended there. */
  readonly first: FleetRow<Result>
}

/**
 * Rows by what they say, which `same` gives as a text; the largest group first, failures before the rest of their size. What differs
 * from most is so at the end of what succeeded and at the front of what did not.
 */
export function groupRows<Result>(
  rows: readonly FleetRow<Result>[],
  same: (row: FleetRow<Result>) => string,
): RowGroup<Result>[] {
  const groups = new Map<string, FleetRow<Result>[]>()
  for (const row of rows) {
    // Hashed, so that what many machines have said is not held twice.
    const key = hash('sha256', JSON.stringify([row.outcome, row.error?.code, row.error?.message, same(row)]))
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups.values()]
    .flatMap((each) => (each[0] === undefined ? [] : [{ rows: each, first: each[0] }]))
    .sort((one, other) => other.rows.length - one.rows.length || failing(other) - failing(one))
}

function failing({ first }: RowGroup<unknown>): number {
  return Number(isFailure(first.outcome))
}
