import type { JsonSchema } from './json-schema.ts'
import { lowerCompatible } from './lower-compatible.ts'
import { lowerStrict } from './lower-strict.ts'
import { raise } from './raise.ts'

/** What a provider's servers take as a schema: OpenAI's strict form, what small servers know, or any JSON Schema. */
export type Dialect = 'openai-strict' | 'compatible' | 'any'

/** A schema as a provider takes it. The user's schema stays the judge of what comes back. */
export interface Lowered {
  readonly schema: JsonSchema
  /** The server promises to keep to it. */
  readonly strict: boolean
  /** A value in the provider's form as one of the user's schema. */
  readonly raise: (value: unknown) => unknown
}

/** The dialect of a provider. */
export function dialectOf(provider: string): Dialect {
  if (provider === 'openai') return 'openai-strict'
  return provider === 'openai-compatible' ? 'compatible' : 'any'
}

/** A schema in a dialect. What OpenAI's strict form cannot say is sent as it is, and not as strict. */
export function lower(schema: JsonSchema, dialect: Dialect): Lowered {
  if (dialect === 'openai-strict') {
    const strict = lowerStrict(schema)
    if (strict !== undefined) return { schema: strict, strict: true, raise: (value) => raise(value, schema) }
  }
  const lowered = dialect === 'any' ? schema : lowerCompatible(schema)
  return { schema: lowered, strict: false, raise: (value) => raise(value, schema) }
}
