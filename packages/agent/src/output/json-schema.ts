import { CmdopError } from '@cmdop/protocol'
import { ignoreOverride, zodToJsonSchema } from 'zod-to-json-schema'
import * as z from 'zod/v4'
import type { StandardSchema } from '../standard-schema.ts'

/** JSON Schema, draft 7, as data. Only the keywords that this package reads itself have a type. */
export interface JsonSchema {
  readonly type?: string | readonly string[] | undefined
  readonly description?: string | undefined
  readonly properties?: Readonly<Record<string, JsonSchema | boolean>> | undefined
  readonly required?: readonly string[] | undefined
  readonly items?: JsonSchema | boolean | readonly (JsonSchema | boolean)[] | undefined
  readonly anyOf?: readonly (JsonSchema | boolean)[] | undefined
  readonly oneOf?: readonly (JsonSchema | boolean)[] | undefined
  readonly allOf?: readonly (JsonSchema | boolean)[] | undefined
  readonly enum?: readonly unknown[] | undefined
  readonly $ref?: string | undefined
  readonly [keyword: string]: unknown
}

/**
 * The JSON Schema (draft 7) of the values a schema takes in, with its descriptions.
 * Throws `schema_invalid` when it has none: dates, custom checks, a library without JSON Schema.
 */
export function jsonSchemaOf(schema: StandardSchema): JsonSchema {
  try {
    return convert(schema)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CmdopError(
      'schema_invalid',
      `The output schema cannot be sent to a model: ${reason}. Use a type that JSON can hold, such as a string.`,
      { cause: error },
    )
  }
}

/** Its own converter first: one of another copy would lose the descriptions, which live in a registry per copy. */
function convert(schema: StandardSchema): JsonSchema {
  const own = schema['~standard'].jsonSchema
  if (own !== undefined) return own.input({ target: 'draft-07' })
  if (isZod3(schema)) return convertZod3(schema)
  if ('_zod' in schema) return convertZod4(schema as unknown as z.ZodType)
  for (const name of ['toJSONSchema', 'toJsonSchema']) {
    const method: unknown = Reflect.get(schema, name)
    if (typeof method === 'function') return Reflect.apply(method, schema, []) as JsonSchema
  }
  throw new Error(`the library "${schema['~standard'].vendor}" gives no JSON Schema`)
}

/** A schema of another copy of Zod 4 that has no converter of its own: its descriptions are asked of itself. */
function convertZod4(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      const { description } = zodSchema as { description?: unknown }
      if (typeof description === 'string') jsonSchema.description ??= description
    },
  }) as JsonSchema
}

function isZod3(schema: object): boolean {
  const definition: unknown = Reflect.get(schema, '_def')
  return !('_zod' in schema) && typeof definition === 'object' && definition !== null && 'typeName' in definition
}

/** What zod-to-json-schema would turn into a string or into "anything", although no JSON value passes the schema. */
const zod3WithoutJson = new Set([
  'ZodDate',
  'ZodBigInt',
  'ZodMap',
  'ZodSet',
  'ZodFunction',
  'ZodSymbol',
  'ZodUndefined',
  'ZodVoid',
  'ZodNaN',
  'ZodPromise',
])

function convertZod3(schema: object): JsonSchema {
  return zodToJsonSchema(schema as Parameters<typeof zodToJsonSchema>[0], {
    target: 'jsonSchema7',
    effectStrategy: 'input',
    pipeStrategy: 'input',
    override: (definition) => {
      const { typeName, coerce, schema: inner } = definition as unknown as Zod3Definition
      if (zod3WithoutJson.has(typeName) && coerce !== true) throw new Error(`${typeName} cannot be represented`)
      if (typeName === 'ZodEffects' && isZod3Any(inner)) throw new Error('a custom type cannot be represented')
      return ignoreOverride
    },
  }) as JsonSchema
}

interface Zod3Definition {
  readonly typeName: string
  readonly coerce?: boolean
  readonly schema?: object
}

/** `z.custom()` and `z.instanceof()` are a check around `z.any()`. */
function isZod3Any(schema: object | undefined): boolean {
  const definition = schema && (Reflect.get(schema, '_def') as Zod3Definition | undefined)
  return definition?.typeName === 'ZodAny'
}
