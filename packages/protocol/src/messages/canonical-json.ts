/**
 * JSON in the canonical form of RFC 8785 (JCS): no white space, and the keys of every object sorted by UTF-16 code units, so that
 * equal values have equal bytes. Keys whose value is undefined are left out, and a lone surrogate, which the RFC has no form for,
 * is escaped. https://www.rfc-editor.org/rfc/rfc8785
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  let members = ''
  for (const [key, item] of Object.entries(value).sort(byKey)) {
    if (item === undefined) continue
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(item)}`
  }
  return `{${members}}`
}

/** The keys of an object are never equal. */
function byKey([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1
}
