import { z } from 'zod'
import { CmdopError } from '../errors.ts'

/**
 * A validator for a plain JSON Schema, such as a file given on the command line. Throws `schema_invalid` for what the
 * validator cannot check (`if`, `not`, a reference that leads nowhere): refused, not ignored.
 */
export function jsonSchemaValidator(schema: Readonly<Record<string, unknown>>): z.ZodType {
  try {
    return z.fromJSONSchema(explicit(schema) as Parameters<typeof z.fromJSONSchema>[0], {
      defaultTarget: 'draft-7',
      // The one that is shared keeps every schema with an id for ever.
      registry: z.registry(),
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CmdopError('schema_invalid', `The JSON Schema cannot be used: ${reason}.`, { cause: error })
  }
}

/** Keywords that say which type is meant where `type` itself is missing. */
const typeOfKeyword: Readonly<Record<string, string>> = {
  properties: 'object',
  required: 'object',
  patternProperties: 'object',
  additionalProperties: 'object',
  propertyNames: 'object',
  minProperties: 'object',
  maxProperties: 'object',
  items: 'array',
  minItems: 'array',
  maxItems: 'array',
  uniqueItems: 'array',
  contains: 'array',
  minLength: 'string',
  maxLength: 'string',
  pattern: 'string',
  format: 'string',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
  multipleOf: 'number',
}

const combiners = ['allOf', 'anyOf', 'oneOf', '$ref'] as const
const maps = ['properties', 'patternProperties', 'definitions', '$defs'] as const
const singles = [
  'items',
  'prefixItems',
  'additionalItems',
  'additionalProperties',
  'propertyNames',
  'contains',
] as const

/**
 * The same schema with everything said that the converter would otherwise pass over: a missing `type`, a required key
 * without a property of its own, keywords beside a combiner.
 */
function explicit(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) return node.map(explicit)
  const copy: Record<string, unknown> = { ...node }
  for (const key of maps) if (isRecord(copy[key])) copy[key] = mapValues(copy[key], explicit)
  for (const key of [...singles, ...combiners]) if (typeof copy[key] === 'object') copy[key] = explicit(copy[key])
  const { definitions, $defs, $schema, ...rest } = copy
  const outer = withoutUndefined({ definitions, $defs, $schema })
  return { ...outer, ...split(rest) }
}

/** Keywords beside a combiner become members of one `allOf`. */
function split(node: Record<string, unknown>): Record<string, unknown> {
  const used = combiners.filter((key) => key in node)
  const rest = Object.fromEntries(
    Object.entries(node).filter(([key]) => !used.includes(key as (typeof combiners)[number])),
  )
  const own = typed(rest)
  const says = Object.keys(own).some(
    (key) => Object.hasOwn(typeOfKeyword, key) || key === 'type' || key === 'enum' || key === 'const',
  )
  const parts = used.flatMap((key) => (key === 'allOf' ? (node[key] as unknown[]) : [{ [key]: node[key] }]))
  if (parts.length === 0) return own
  if (!says && parts.length === 1 && isRecord(parts[0])) return { ...rest, ...parts[0] }
  return { allOf: says ? [own, ...parts] : parts }
}

function typed(node: Record<string, unknown>): Record<string, unknown> {
  if (!('type' in node) && !('enum' in node) && !('const' in node)) {
    const keyword = Object.keys(node).find((key) => Object.hasOwn(typeOfKeyword, key))
    if (keyword !== undefined) node = { ...node, type: typeOfKeyword[keyword] }
  }
  if (!Array.isArray(node.required)) return node
  const properties = isRecord(node.properties) ? node.properties : {}
  const missing = (node.required as string[]).filter((key) => !Object.hasOwn(properties, key))
  const anything = { type: ['string', 'number', 'boolean', 'object', 'array', 'null'] }
  return { ...node, properties: { ...properties, ...Object.fromEntries(missing.map((key) => [key, anything])) } }
}

function mapValues(record: Record<string, unknown>, change: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

function withoutUndefined(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
