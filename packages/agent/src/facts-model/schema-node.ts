import type { JsonSchema } from '../output/json-schema.ts'

/** A place in a JSON Schema, with what the filler asks of it. */
export interface SchemaNode {
  readonly types: ReadonlySet<string>
  readonly nullable: boolean
  readonly description: string | undefined
  /** The one value it allows, if it allows only one. */
  readonly only: { readonly value: unknown } | undefined
  readonly allowed: readonly unknown[] | undefined
  /** In the schema's order; undefined when the object has no named field. */
  readonly properties:
    | readonly { readonly name: string; readonly definition: JsonSchema | boolean; readonly required: boolean }[]
    | undefined
  readonly items: JsonSchema | boolean | undefined
}

/** How many references may lead on to others. */
const maxHops = 20

/**
 * The ways to read a place: one for most, one for each branch of a union without `null`, which makes them nullable.
 * An outer description holds for its branches.
 */
export function schemaNodes(definition: JsonSchema | boolean, root: JsonSchema, hops = 0): SchemaNode[] {
  if (typeof definition === 'boolean' || hops > maxHops) return []
  const { $ref, anyOf, oneOf, allOf } = definition
  const inner = (each: JsonSchema | boolean): SchemaNode[] => schemaNodes(each, root, hops + 1)
  if ($ref !== undefined) return described(inner(resolved($ref, root)), definition)
  const union = anyOf ?? oneOf ?? (allOf?.length === 1 ? allOf : undefined)
  if (union === undefined) return [nodeOf(definition)]
  const branches: SchemaNode[] = union.flatMap(inner)
  const nullable = branches.some((branch) => branch.nullable)
  return described(
    branches.filter(({ types }) => types.size > 0),
    definition,
  ).map((branch) => ({ ...branch, nullable }))
}

function described(nodes: SchemaNode[], { description }: JsonSchema): SchemaNode[] {
  return description === undefined ? nodes : nodes.map((node) => ({ ...node, description }))
}

function nodeOf(schema: JsonSchema): SchemaNode {
  const { type, description, enum: allowed, properties, required = [], items } = schema
  const types = new Set<string>(typeof type === 'string' ? [type] : (type ?? (properties ? ['object'] : [])))
  const nullable = types.delete('null') || allowed?.includes(null) === true
  if (types.has('integer') && types.has('number')) types.delete('integer')
  return {
    types,
    nullable,
    description,
    only:
      schema.const !== undefined ? { value: schema.const } : allowed?.length === 1 ? { value: allowed[0] } : undefined,
    allowed,
    properties:
      properties &&
      Object.entries(properties).map(([name, definition]) => ({ name, definition, required: required.includes(name) })),
    items: isTuple(items) ? undefined : items,
  }
}

function resolved(reference: string, root: JsonSchema): JsonSchema | boolean {
  let node: unknown = root
  for (const key of reference.replace(/^#\/?/, '').split('/').filter(Boolean)) {
    node =
      typeof node === 'object' && node !== null
        ? Reflect.get(node, key.replace(/~1/g, '/').replace(/~0/g, '~'))
        : undefined
  }
  return typeof node === 'object' && node !== null ? (node as JsonSchema) : false
}

function isTuple(items: JsonSchema['items']): items is readonly (JsonSchema | boolean)[] {
  return Array.isArray(items)
}
