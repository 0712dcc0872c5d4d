import type { ToolCallRecord } from '../run/run-result.ts'
import type { Companion } from './output-schema.ts'

/** What each field of an answer rests on, by tool-call id. */
export type Evidence = Readonly<Record<string, readonly string[]>>

/** Travels beside an answer: for each of its fields the labels of the calls it comes from. The loop checks every one. */
export const evidenceCompanion: Companion = {
  schema: (json) => {
    const labels = { type: 'array', items: { type: 'string' }, minItems: 1 }
    const description =
      'For each field of the result the labels of the calls it comes from, as they stand in "[call c1]".'
    const names = fieldsOf(json.properties)
    const properties = Object.fromEntries(names.map((name) => [name, labels]))
    const required = names.filter((name) => json.required?.includes(name) === true)
    return { type: 'object', description, properties, required, additionalProperties: false }
  },
  check: (given, { value, calls }) => {
    if (typeof given !== 'object' || given === null)
      return { issues: ['evidence: name the calls that each field comes from'] }
    const byField: Record<string, string[]> = {}
    const issues: string[] = []
    for (const field of fieldsOf(value)) {
      const cited: unknown = Reflect.get(given, field)
      const labels = Array.isArray(cited) ? cited.filter((each) => typeof each === 'string') : []
      if (labels.length === 0) issues.push(`evidence.${field}: names no call`)
      byField[field] = labels.flatMap((label) => {
        const call = calls.find((each) => each.label === label || each.toolCallId === label)
        if (call?.outcome === 'done') return [call.toolCallId]
        issues.push(
          `evidence.${field}: ${JSON.stringify(label)} is no call of this run that succeeded; there are ${listed(calls)}`,
        )
        return []
      })
    }
    return issues.length > 0 ? { issues } : { value: byField }
  },
}

/** The fields of an object; an answer that is none has the one field `result`. */
function fieldsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ['result']
  const names = Object.keys(value).filter((name) => Reflect.get(value, name) !== undefined)
  return names.length === 0 ? ['result'] : names
}

function listed(calls: readonly ToolCallRecord[]): string {
  const labels = calls.filter((call) => call.outcome === 'done').map((call) => call.label)
  return labels.length === 0 ? 'none' : labels.join(', ')
}
