import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'

const Place = z.tuple([z.string().max(512), z.string().max(512)])

/** What clients pass on as `cursor`: by what the last row of a page is ordered, and its id; null where there is no such row. */
export function formatCursor<Row>(
  last: Row | undefined,
  placeOf: (row: Row) => readonly [order: string, id: string],
): string | null {
  return last === undefined ? null : Buffer.from(JSON.stringify(placeOf(last))).toString('base64url')
}

/** The place in a list that is ordered by this field. Throws `validation` for what {@link formatCursor} did not give. */
export function parseCursor<Field extends string>(field: Field, text: string): Record<Field | 'id', string> {
  try {
    const [order, id] = Place.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { [field]: order, id } as Record<Field | 'id', string>
  } catch (cause) {
    throw new CmdopError('validation', 'Expected cursor to be the next_cursor of an earlier answer.', { cause })
  }
}
