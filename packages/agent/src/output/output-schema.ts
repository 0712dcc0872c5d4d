import { CmdopError, jsonSchemaValidator } from '@cmdop/protocol'
import { isStandardSchema, type StandardIssue, type StandardSchema } from '../standard-schema.ts'
import { digestOf } from '../run/digest.ts'
import type { ToolCallRecord } from '../run/run-result.ts'
import { type Dialect, lower } from './dialect.ts'
import { envelopeOf, type Opened } from './envelope.ts'
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts'

/** What a caller may give as `outputSchema`: a Standard Schema (Zod 4, Zod 3, others), or JSON Schema as data. */
export type OutputSchemaInput = StandardSchema | JsonSchema

/** An output schema, converted once per run. */
export interface OutputSchema {
  /** The input schema of the tool `final_result`: an object at its root, as every provider demands. */
  readonly toolSchema: JsonSchema
  /** The provider promises to keep to it. */
  readonly strict: boolean
  /** What a part of the tool's input, while it is written, says of the answer. Nothing has validated it. */
  readonly partial: (input: unknown) => unknown
  /** Judges what the model gave as the tool's input, or JSON found in its text. `calls`: those of the run so far. */
  readonly check: (candidate: unknown, calls?: readonly ToolCallRecord[]) => Promise<Checked>
}

/** A value that fits, or everything that does not, as `path: message`. */
export type Checked =
  | { readonly fits: true; readonly value: unknown; readonly beside: Readonly<Record<string, unknown>> }
  | { readonly fits: false; readonly issues: string[] }

/** Something that the model gives beside its answer, in the same call. */
export interface Companion {
  /** Its schema, for an answer of the given one. */
  schema(json: JsonSchema): JsonSchema
  check(
    given: unknown,
    context: { readonly value: unknown; readonly calls: readonly ToolCallRecord[] },
  ): { readonly value: unknown; readonly issues?: undefined } | { readonly issues: string[] }
}

/** How an answer is asked for. */
interface OutputSchemaOptions {
  readonly dialect?: Dialect
  /** What comes beside the answer, by name. */
  readonly companions?: Readonly<Record<string, Companion>>
}

/**
 * Prepares a schema for a run. Throws `schema_invalid` for one that is empty or that JSON Schema cannot express, so
 * that it is refused where it is defined and no model sees it.
 */
export function createOutputSchema(
  schema: OutputSchemaInput,
  { dialect = 'any', companions = {} }: OutputSchemaOptions = {},
): OutputSchema {
  const validator = isStandardSchema(schema) ? schema : jsonSchemaValidator(plainSchema(schema))
  const { $schema: _, ...json } = isStandardSchema(schema) ? jsonSchemaOf(schema) : schema
  refuseEmpty(json)
  const beside = Object.fromEntries(Object.entries(companions).map(([name, each]) => [name, each.schema(json)]))
  const envelope = envelopeOf(json, beside)
  const lowered = lower(envelope.schema, dialect)
  return {
    toolSchema: lowered.schema,
    strict: lowered.strict,
    partial: (input) => envelope.partial(input),
    check: async (candidate, calls = []) => {
      let first: Checked | undefined
      // In the provider's form first; a model may also answer in the form of the schema as its user wrote it.
      for (const form of [lowered.raise(candidate), candidate]) {
        for (const each of envelope.open(form)) {
          const checked = await judge(validator, each, { companions, calls })
          if (checked.fits) return checked
          first ??= checked
        }
      }
      return first ?? { fits: false, issues: ['(root): expected a value'] }
    },
  }
}

/** A fingerprint: the same for schemas that ask for the same. Without one it is that of a text. Throws `schema_invalid`. */
export function outputSchemaDigest(schema: OutputSchemaInput | undefined): string {
  return digestOf(schema === undefined ? null : createOutputSchema(schema).toolSchema)
}

async function judge(
  validator: StandardSchema,
  { value, beside }: Opened,
  { companions, calls }: { companions: Readonly<Record<string, Companion>>; calls: readonly ToolCallRecord[] },
): Promise<Checked> {
  const checked = await validate(validator, value)
  const accepted: Record<string, unknown> = {}
  const issues = checked.issues ?? []
  for (const [name, companion] of Object.entries(companions)) {
    const result = companion.check(beside[name], { value, calls })
    if (result.issues === undefined) accepted[name] = result.value
    else issues.push(...result.issues)
  }
  return issues.length === 0
    ? { fits: true, value: checked.value, beside: accepted }
    : { fits: false, issues: issues.slice(0, maxIssues) }
}

async function validate(validator: StandardSchema, value: unknown): Promise<{ value?: unknown; issues?: string[] }> {
  const result = await validator['~standard'].validate(value)
  return result.issues === undefined
    ? { value: result.value }
    : { issues: result.issues.slice(0, maxIssues).map(sentence) }
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
