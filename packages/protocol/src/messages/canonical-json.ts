/**
 * JSON without white space and with the keys of every object in one order, so that equal values have equal bytes: keys
 * that are array indices first, by number, then the others by UTF-16 code units (the order of a JavaScript object).
 * Keys whose value is undefined are left out.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (isPlainObject(item) ? sorted(item) : item)) ?? 'null'
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sorted(object: Record<string, unknown>): Record<string, unknown> {
  // A null prototype, so that a key named __proto__ is a key like any other.
  const result = Object.create(null) as Record<string, unknown>
  for (const key of Object.keys(object).sort()) result[key] = object[key]
  return result
}
