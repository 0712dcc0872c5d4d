import { CmdopError } from '@cmdop/protocol'
import { isStandardSchema, type StandardIssue, type StandardSchema } from '../standard-schema.ts'
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts'
import { validatorOf } from './json-schema-validator.ts'
import { isToolInput, wrapped } from './wrap.ts'

/** What a caller may give as `outputSchema`: a Standard Schema (Zod 4, Zod 3, others), or JSON Schema as data. */
export type OutputSchemaInput = StandardSchema | JsonSchema

/** An output schema, converted once per run. */
export interface OutputSchema {
  /** The input schema of the tool `final_result`: an object at its root, as every provider demands. */
  readonly toolSchema: JsonSchema
  /** What a part of the tool's input, while it is written, says of the answer. Nothing has validated it. */
  readonly partial: (input: unknown) => unknown
  /** Judges what the model gave as the tool's input, or JSON found in its text. */
  readonly check: (candidate: unknown) => Promise<Checked>
}

/** A value that fits, or everything that does not, as `path: message`. */
export type Checked =
  | { readonly fits: true; readonly value: unknown }
  | { readonly fits: false; readonly issues: string[] }

/**
 * Prepares a schema for a run. Throws `schema_invalid` for one that is empty or that JSON Schema cannot express, so
 * that it is refused where it is defined and no model sees it.
 */
export function createOutputSchema(schema: OutputSchemaInput): OutputSchema {
  const validator = isStandardSchema(schema) ? schema : validatorOf(plainSchema(schema))
  const { $schema: _, ...json } = isStandardSchema(schema) ? jsonSchemaOf(schema) : schema
  refuseEmpty(json)
  const bare = isToolInput(json)
  return {
    toolSchema: bare ? json : wrapped(json),
    partial: (input) => (bare || typeof input !== 'object' || input === null ? input : Reflect.get(input, 'result')),
    check: async (candidate) => {
      let first: Checked | undefined
      for (const value of bare ? [candidate] : unwrapped(candidate)) {
        const checked = await validate(validator, value)
        if (checked.fits) return checked
        first ??= checked
      }
      return first ?? { fits: false, issues: ['(root): expected a value'] }
    },
  }
}

/** A model may wrap the value as told, send its JSON as a string, or forget the wrapper. In that order. */
function unwrapped(candidate: unknown): unknown[] {
  if (typeof candidate !== 'object' || candidate === null || !('result' in candidate)) return [candidate]
  const { result } = candidate
  return typeof result === 'string' ? [result, ...parsed(result), candidate] : [result, candidate]
}

function parsed(text: string): unknown[] {
  if (!/^\s*[[{]/.test(text)) return []
  try {
    return [JSON.parse(text)]
  } catch {
    return []
  }
}

async function validate(validator: StandardSchema, value: unknown): Promise<Checked> {
  const result = await validator['~standard'].validate(value)
  if (result.issues === undefined) return { fits: true, value: result.value }
  return { fits: false, issues: result.issues.slice(0, maxIssues).map(sentence) }
}

/** A model repairs what it can read; a thousand issues of one list help nobody. */
const maxIssues = 20

function sentence(issue: StandardIssue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
  return `${path || '(root)'}: ${issue.message}`
}

function plainSchema(schema: unknown): JsonSchema {
  if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return schema as JsonSchema
  throw new CmdopError(
    'schema_invalid',
    'Expected outputSchema to be a Zod schema, a Standard Schema or a JSON Schema object.',
  )
}

const says = ['type', 'anyOf', 'oneOf', 'allOf', '$ref', 'enum', 'const', 'properties', 'items'] as const

function refuseEmpty(json: JsonSchema): void {
  const anything = !says.some((key) => key in json)
  const noFields = json.type === 'object' && Object.keys(json.properties ?? {}).length === 0 && !isRecordOf(json)
  if (anything || noFields) {
    throw new CmdopError(
      'schema_invalid',
      'The output schema is empty: it asks for no field, so there is no answer to give. Name the fields you want.',
    )
  }
}

/** `z.record(...)` names no field and still says what its values are. */
function isRecordOf(json: JsonSchema): boolean {
  return (
    json.propertyNames !== undefined || (json.properties === undefined && typeof json.additionalProperties === 'object')
  )
}
