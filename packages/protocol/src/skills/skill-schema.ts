import { CmdopError } from '../errors.ts'
import { jsonSchemaValidator } from './json-schema-validator.ts'

/** Bytes of one JSON Schema in a manifest at most. */
const MAX_SCHEMA_BYTES = 16_384

/** JSON values in one schema at most, itself included. */
const MAX_SCHEMA_VALUES = 1000

/** Schemas in schemas, and lists and objects in a value, that are open at once at most. */
const MAX_SCHEMA_DEPTH = 24
const MAX_VALUE_DEPTH = 128

/** Values of a schema times values that are checked by it at most: each pair is looked at about once, and may leave an issue. */
const MAX_STEPS = 2_000_000

/** Bytes of a schema times values that are checked by it at most: an issue can repeat what the schema says. */
const MAX_STEP_BYTES = 64 * 1024 * 1024

/** Issues of a value that are told at most. */
const MAX_ISSUES = 20

/** Keywords whose value is a schema, a list of schemas, or a map of names to schemas. */
const ofSchemas: ReadonlySet<string> = new Set(
  `items additionalItems prefixItems unevaluatedItems contains additionalProperties unevaluatedProperties propertyNames
  allOf anyOf oneOf not if then else contentSchema`.split(/\s+/),
)
const ofMaps: ReadonlySet<string> = new Set(['properties', 'definitions', '$defs', 'dependencies', 'dependentSchemas'])

/** What is refused wherever it is a keyword, and why. */
const refused: Readonly<Record<string, string>> = {
  // A pattern of somebody else can hold up whoever checks by it.
  pattern: 'use enum, format or lengths instead',
  patternProperties: 'use properties and additionalProperties instead',
  // A chain of references makes few bytes stand for very many checks, and a circle for endless ones.
  $ref: 'write what it refers to in its place',
  $dynamicRef: 'write what it refers to in its place',
  $recursiveRef: 'write what it refers to in its place',
}

/** Formats that are checked in time that grows with the text alone. */
const formats: ReadonlySet<unknown> = new Set(
  'date date-time duration email hostname ipv4 ipv6 time uri uri-reference uuid'.split(' '),
)

/**
 * Why a JSON Schema of somebody else is not to be checked by; undefined: whatever is checked by it takes a bounded number of steps.
 * Keywords are looked for where they are keywords: a property may be called `pattern`.
 */
export function schemaIssue(schema: Readonly<Record<string, unknown>>): string | undefined {
  if (schema['type'] !== 'object') return 'Expected a JSON Schema of an object (type: object).'
  const size = measured(schema, { values: MAX_SCHEMA_VALUES, depth: 2 * MAX_SCHEMA_DEPTH })
  if (size === undefined)
    return `Expected a JSON Schema of at most ${MAX_SCHEMA_VALUES} values, at most ${MAX_SCHEMA_DEPTH} schemas deep.`
  if (jsonBytes(schema) > MAX_SCHEMA_BYTES) return `Expected at most ${MAX_SCHEMA_BYTES} bytes of JSON Schema.`
  return issueIn(schema, 1)
}

/**
 * What of a value does not fit a schema that {@link schemaIssue} has nothing against; nothing: it fits. Whatever goes wrong with
 * the checking itself is an issue of the value, too.
 */
export function schemaMisfits(schema: Readonly<Record<string, unknown>>, value: unknown, whole: string): string[] {
  const refusal = schemaIssue(schema)
  if (refusal !== undefined) return [`its schema cannot be used: ${refusal}`]
  const rules = measured(schema, { values: MAX_SCHEMA_VALUES, depth: 2 * MAX_SCHEMA_DEPTH }) ?? MAX_SCHEMA_VALUES
  const most = Math.floor(Math.min(MAX_STEPS / rules, MAX_STEP_BYTES / jsonBytes(schema)))
  if (measured(value, { values: most, depth: MAX_VALUE_DEPTH }) === undefined)
    return [
      `${whole}: Expected at most ${most} values, in at most ${MAX_VALUE_DEPTH} levels, for a schema of this size.`,
    ]
  try {
    const parsed = jsonSchemaValidator(schema).safeParse(value)
    if (parsed.success) return []
    const issues = parsed.error.issues.slice(0, MAX_ISSUES)
    return issues.map(({ path, message }) => `${path.join('.') || whole}: ${message}`)
  } catch (error) {
    if (error instanceof CmdopError) return [error.message]
    return [`${whole}: It cannot be checked by its schema (${error instanceof Error ? error.message : 'no reason'}).`]
  }
}

function issueIn(schema: unknown, depth: number): string | undefined {
  if (Array.isArray(schema)) return first(schema, (each) => issueIn(each, depth))
  if (!isRecord(schema)) return undefined
  if (depth > MAX_SCHEMA_DEPTH) return `Expected schemas at most ${MAX_SCHEMA_DEPTH} deep.`
  return first(Object.entries(schema), ([keyword, inner]) => {
    const instead = Object.hasOwn(refused, keyword) ? refused[keyword] : undefined
    if (instead !== undefined) return `Expected no ${keyword}; ${instead}.`
    if (keyword === 'format' && !formats.has(inner)) return `Expected one of the formats ${[...formats].join(', ')}.`
    // A type that is there twice is checked twice, with all that is below it.
    if (keyword === 'type' && Array.isArray(inner) && new Set(inner).size !== inner.length)
      return 'Expected each type once.'
    if (ofSchemas.has(keyword)) return issueIn(inner, depth + 1)
    if (!ofMaps.has(keyword)) return undefined
    if (!isRecord(inner) || Object.hasOwn(inner, '__proto__')) return `Expected names of one's own in ${keyword}.`
    return first(Object.values(inner), (each) => issueIn(each, depth + 1))
  })
}

/** Values in a JSON value, itself included; undefined for more, or deeper, than these. It calls nothing again, however deep that is. */
function measured(value: unknown, most: { readonly values: number; readonly depth: number }): number | undefined {
  const open: [value: unknown, depth: number][] = [[value, 0]]
  let count = 0
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [each, depth] = next
    count += 1
    if (count + open.length > most.values || depth > most.depth) return undefined
    if (typeof each !== 'object' || each === null) continue
    for (const inner of Object.values(each)) open.push([inner, depth + 1])
  }
  return count
}

function first<Item>(items: readonly Item[], issue: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const found = issue(item)
    if (found !== undefined) return found
  }
  return undefined
}

function jsonBytes(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
