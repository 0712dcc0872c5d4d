import type { JsonSchema } from './json-schema.ts'
import { notedKeywords, withNotes } from './schema-notes.ts'

/** Thrown within this file for what the strict form cannot say. */
const unsayable = Symbol('unsayable')

/**
 * A schema in OpenAI's strict form: every property required (an optional one may be null), no other properties, a record
 * as a list of entries, bounds in the descriptions. undefined: it cannot be said so (a tuple, an intersection, an object
 * with named and with free keys, a value of any kind).
 */
export function lowerStrict(schema: JsonSchema): JsonSchema | undefined {
  try {
    return node(schema, true)
  } catch (thrown) {
    if (thrown === unsayable) return undefined
    throw thrown
  }
}

function node(given: unknown, isRoot = false): JsonSchema {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw unsayable
  const {
    definitions,
    $defs,
    propertyNames: _,
    $schema: __,
    ...rest
  } = withNotes(given as JsonSchema, notedKeywords) as Record<string, unknown>
  const defs = { ...asRecord(definitions), ...asRecord($defs) }
  const lowered = body(rest, isRoot)
  if (Object.keys(defs).length === 0) return lowered
  return { ...lowered, $defs: mapValues(defs, (each) => node(each)) }
}

function body(schema: JsonSchema, isRoot: boolean): JsonSchema {
  const { $ref, anyOf, oneOf, description } = schema
  if (['allOf', 'not', 'if', 'patternProperties', 'contains'].some((key) => key in schema)) throw unsayable
  if ($ref !== undefined) return { $ref: $ref.replace('#/definitions/', '#/$defs/') }
  const said = description === undefined ? {} : { description }
  const union = anyOf ?? oneOf
  if (union !== undefined) return { ...said, anyOf: union.map((each) => node(each)) }
  if ('const' in schema) return { ...said, ...typeOf(schema.const), enum: [schema.const] }
  if (schema.enum !== undefined)
    return { ...said, ...(schema.type === undefined ? {} : { type: schema.type }), enum: schema.enum }
  if (schema.type === 'object') return { ...said, ...object(schema, isRoot) }
  if (schema.type === 'array') {
    if (Array.isArray(schema.items)) throw unsayable
    return { ...said, type: 'array', items: node(schema.items) }
  }
  if (schema.type === undefined) throw unsayable
  return { ...said, type: schema.type }
}

function object({ properties = {}, required = [], additionalProperties }: JsonSchema, isRoot: boolean): JsonSchema {
  const names = Object.keys(properties)
  if (typeof additionalProperties === 'object' && additionalProperties !== null) {
    if (names.length > 0 || isRoot) throw unsayable
    const entry = {
      type: 'object',
      properties: { key: { type: 'string' }, value: node(additionalProperties) },
      required: ['key', 'value'],
      additionalProperties: false,
    }
    return { type: 'array', items: entry, description: 'Entries of a map.' }
  }
  if (names.length === 0) throw unsayable
  return {
    type: 'object',
    properties: Object.fromEntries(
      names.map((name) => [name, required.includes(name) ? node(properties[name]) : nullable(node(properties[name]))]),
    ),
    required: names,
    additionalProperties: false,
  }
}

function nullable(schema: JsonSchema): JsonSchema {
  if (schema.anyOf !== undefined) {
    return schema.anyOf.some((each) => typeof each === 'object' && each.type === 'null')
      ? schema
      : { ...schema, anyOf: [...schema.anyOf, { type: 'null' }] }
  }
  if (schema.enum === undefined && typeof schema.type === 'string')
    return { ...schema, type: schema.type === 'null' ? 'null' : [schema.type, 'null'] }
  const { description, ...rest } = schema
  return { ...(description === undefined ? {} : { description }), anyOf: [rest, { type: 'null' }] }
}

function typeOf(value: unknown): { type?: string } {
  if (value === null) return { type: 'null' }
  return typeof value === 'object' ? {} : { type: typeof value }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function mapValues<From, To>(record: Record<string, From>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
