/** Where two values of JSON differ first, with what is there in each; undefined: nowhere. */
export function firstDifference(before: unknown, after: unknown, path = ''): string | undefined {
  if (Object.is(before, after)) return undefined
  if (isObject(before) && isObject(after) && Array.isArray(before) === Array.isArray(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    for (const key of keys) {
      const difference = firstDifference(Reflect.get(before, key), Reflect.get(after, key), `${path}/${key}`)
      if (difference !== undefined) return difference
    }
    return undefined
  }
  return `${path || '/'} was ${shown(before, after)}, is ${shown(after, before)}`
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** The part of a long text in which it differs. */
function shown(value: unknown, other: unknown): string {
  if (typeof value !== 'string' || typeof other !== 'string') return (JSON.stringify(value) ?? 'nothing').slice(0, 300)
  let same = 0
  while (same < value.length && value[same] === other[same]) same++
  const from = Math.max(0, same - 30)
  return `${from > 0 ? '...' : ''}${JSON.stringify(value.slice(from, from + 150))}`
}
