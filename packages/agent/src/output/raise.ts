import type { JsonSchema } from './json-schema.ts'

/**
 * A value in the form of a lowered schema as one of the schema itself: null goes where a property is optional and may not
 * be null, and a list of entries becomes a map where the schema has one. What does not look lowered stays as it is.
 */
export function raise(value: unknown, schema: JsonSchema): unknown {
  return raised(value, schema, schema, 0)
}

/** Deeper than this nothing is changed: a schema may lead back into itself. */
const maxDepth = 64

function raised(value: unknown, given: JsonSchema | boolean | undefined, root: JsonSchema, depth: number): unknown {
  const schema = resolved(given, root)
  if (schema === undefined || depth > maxDepth || typeof value !== 'object' || value === null) return value
  const next = (each: unknown, of: JsonSchema | boolean | undefined): unknown => raised(each, of, root, depth + 1)
  const union = schema.anyOf ?? schema.oneOf
  if (union !== undefined) {
    const branch = union.find((each) => fits(value, resolved(each, root), root))
    return branch === undefined ? value : next(value, branch)
  }
  if (schema.allOf !== undefined) return schema.allOf.reduce((whole: unknown, each) => next(whole, each), value)
  if (Array.isArray(value)) {
    if (isMap(schema) && isEntries(value)) {
      return Object.fromEntries(
        value.map((entry) => [entry.key, next(entry.value, schema.additionalProperties as JsonSchema)]),
      )
    }
    const { items } = schema
    return Array.isArray(items) ? value : value.map((each) => next(each, items as JsonSchema | undefined))
  }
  const { properties = {}, required = [], additionalProperties } = schema
  const entries = Object.entries(value).flatMap(([key, each]): [string, unknown][] => {
    const property = Object.hasOwn(properties, key) ? properties[key] : (additionalProperties as JsonSchema | undefined)
    const isAbsent =
      each === null && Object.hasOwn(properties, key) && !required.includes(key) && !allowsNull(property, root)
    return isAbsent ? [] : [[key, next(each, property)]]
  })
  return Object.fromEntries(entries)
}

function resolved(schema: JsonSchema | boolean | undefined, root: JsonSchema): JsonSchema | undefined {
  let current = schema
  for (let hops = 0; typeof current === 'object' && current.$ref !== undefined && hops < 16; hops++) {
    const path = current.$ref.replace(/^#\/?/, '').split('/').filter(Boolean)
    current = path.reduce<unknown>(
      (node, key) => (typeof node === 'object' && node !== null ? Reflect.get(node, key) : undefined),
      root,
    ) as JsonSchema | undefined
  }
  return typeof current === 'object' ? current : undefined
}

function isMap({ type, properties, additionalProperties }: JsonSchema): boolean {
  return type === 'object' && properties === undefined && typeof additionalProperties === 'object'
}

function isEntries(value: readonly unknown[]): value is { key: string; value: unknown }[] {
  return value.every(
    (each) =>
      typeof each === 'object' && each !== null && 'key' in each && 'value' in each && typeof each.key === 'string',
  )
}

/** Whether a value looks as if it were of this branch of a union: its kind, its constants and its required keys. */
function fits(value: object, schema: JsonSchema | undefined, root: JsonSchema): boolean {
  if (schema === undefined) return false
  if (Array.isArray(value)) return schema.type === 'array' || (isMap(schema) && isEntries(value))
  if (schema.type !== 'object')
    return (schema.anyOf ?? schema.oneOf)?.some((each) => fits(value, resolved(each, root), root)) === true
  const { properties = {}, required = [] } = schema
  if (!required.every((key) => key in value)) return false
  return Object.entries(properties).every(([key, property]) => {
    const each = resolved(property, root)
    const given: unknown = Reflect.get(value, key)
    if (each !== undefined && 'const' in each) return given === each['const'] || !(key in value)
    return each?.enum === undefined || given === undefined || given === null || each.enum.includes(given)
  })
}

function allowsNull(given: JsonSchema | boolean | undefined, root: JsonSchema): boolean {
  const schema = resolved(given, root)
  if (schema === undefined) return true
  const { type, anyOf, oneOf } = schema
  const union = anyOf ?? oneOf
  if (union !== undefined) return union.some((each) => allowsNull(each, root))
  if (schema.enum !== undefined) return schema.enum.includes(null)
  if ('const' in schema) return schema['const'] === null
  return type === undefined || type === 'null' || (Array.isArray(type) && type.includes('null'))
}
