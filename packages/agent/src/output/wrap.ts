import type { JsonSchema } from './json-schema.ts'

/** True when the schema can be a tool's input as it is: an object, and nothing beside it at the root. */
export function isToolInput(schema: JsonSchema): boolean {
  return (
    schema.type === 'object' &&
    !['anyOf', 'oneOf', 'allOf', 'not', '$ref', 'enum', 'const'].some((key) => key in schema)
  )
}

/**
 * An array, a union or a primitive as the field `result` of an object, because providers take only objects as the
 * input of a tool. Definitions move to the new root; references into the old root follow it.
 */
export function wrapped(schema: JsonSchema): JsonSchema {
  const { definitions, ...result } = moved(schema) as JsonSchema
  const $defs: unknown = Reflect.get(result, '$defs')
  Reflect.deleteProperty(result, '$defs')
  return {
    type: 'object',
    properties: { result },
    required: ['result'],
    additionalProperties: false,
    ...(definitions === undefined ? {} : { definitions }),
    ...($defs === undefined ? {} : { $defs }),
  }
}

function moved(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(moved)
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string' ? movedReference(value) : moved(value),
    ]),
  )
}

function movedReference(reference: string): string {
  if (!reference.startsWith('#') || /^#\/(definitions|\$defs)\//.test(reference)) return reference
  return `#/properties/result${reference.slice(1)}`
}
