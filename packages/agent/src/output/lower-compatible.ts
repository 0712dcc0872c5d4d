import type { JsonSchema } from './json-schema.ts'
import { withNotes } from './schema-notes.ts'

/** Keywords on which small servers stumble: they make a grammar of the schema, and refuse what it cannot say. */
const stumbling = ['pattern', 'format', 'multipleOf', 'uniqueItems', 'minProperties', 'maxProperties', 'default']

/** Levels to which references are written out. */
const maxDepth = 12

/**
 * A schema as small servers know it: references written out where they do not lead back into themselves, `oneOf` as
 * `anyOf`, what a grammar cannot say in the descriptions. What cannot be changed stays.
 */
export function lowerCompatible(schema: JsonSchema): JsonSchema {
  const definitions = { ...asRecord(schema.definitions), ...asRecord(schema['$defs']) }
  if (Object.keys(definitions).some((name) => isRecursive(name, definitions))) return simplified(schema, undefined, 0)
  const { definitions: _, $defs: __, ...rest } = schema
  return simplified(rest, definitions, 0)
}

function simplified(given: unknown, definitions: Record<string, unknown> | undefined, depth: number): JsonSchema {
  const next = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(next)
    return typeof value === 'object' && value !== null ? simplified(value, definitions, depth + 1) : value
  }
  const node = given as JsonSchema
  const name = referenced(node)
  if (definitions !== undefined && name !== undefined && name in definitions && depth < maxDepth * 4) {
    return simplified(definitions[name], definitions, depth + 1)
  }
  const { oneOf, propertyNames: _, ...rest } = withNotes(node, stumbling) as Record<string, unknown>
  const renamed: Record<string, unknown> = oneOf === undefined ? rest : { ...rest, anyOf: oneOf }
  const changed = Object.entries(renamed).map(([key, value]): [string, unknown] => {
    if (['properties', 'definitions', '$defs', 'patternProperties'].includes(key)) {
      return [key, Object.fromEntries(Object.entries(asRecord(value)).map(([each, schema]) => [each, next(schema)]))]
    }
    return [
      key,
      ['items', 'anyOf', 'allOf', 'additionalProperties', 'not', 'contains'].includes(key) ? next(value) : value,
    ]
  })
  return Object.fromEntries(changed)
}

function referenced({ $ref }: JsonSchema): string | undefined {
  return /^#\/(?:definitions|\$defs)\/(.+)$/.exec($ref ?? '')?.[1]
}

function isRecursive(name: string, definitions: Record<string, unknown>): boolean {
  const seen = new Set<string>()
  const visit = (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null) return false
    const target = Array.isArray(value) ? undefined : referenced(value as JsonSchema)
    if (target === name) return true
    if (target !== undefined && !seen.has(target)) {
      seen.add(target)
      if (visit(definitions[target])) return true
    }
    return Object.values(value).some(visit)
  }
  return visit(definitions[name])
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
