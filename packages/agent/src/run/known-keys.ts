import { CmdopError } from '@cmdop/protocol'

/** Throws `validation` for a key that is not known, with the one it may have meant: an option that is misspelt must not be taken for none. */
export function refuseUnknownKeys(what: string, given: object, known: Readonly<Record<string, true>>): void {
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(known, key))
  if (unknown === undefined) return
  const nearest = nearestOf(unknown, Object.keys(known))
  const meant = nearest === undefined ? `Use ${Object.keys(known).join(', ')}.` : `Did you mean ${nearest}?`
  throw new CmdopError('validation', `There is no ${what} ${JSON.stringify(unknown)}. ${meant}`)
}

/** The name that differs least, by up to a third of its letters; case and signs between words do not count. */
function nearestOf(given: string, names: readonly string[]): string | undefined {
  const plain = (name: string): string => name.replace(/[^a-z0-9]/gi, '').toLowerCase()
  const [best] = names
    .map((name) => ({ name, edits: editsBetween(plain(given), plain(name)) }))
    .filter(({ name, edits }) => edits <= name.length / 3)
    .sort((one, other) => one.edits - other.edits)
  return best?.name
}

/** Letters to insert, take away or change (Levenshtein). */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [line, letter] of Array.from(one).entries()) {
    const next = [line + 1]
    for (const [column, each] of Array.from(other).entries()) {
      const changed = (row[column] ?? 0) + (letter === each ? 0 : 1)
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
