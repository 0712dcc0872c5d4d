/**
 * The part of the Standard Schema interface (https://standardschema.dev) this package reads: any library that has it,
 * Zod among them, can describe an output. Generics stand on this, not on a library's classes, so that two copies of a
 * library do not meet in the types.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
    /** Standard JSON Schema: present in Zod from 4.2. */
    readonly jsonSchema?: { readonly input: (options: { target: 'draft-07' }) => Record<string, unknown> } | undefined
  }
}

/** What a schema says of a value: its parsed form, or what is wrong. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** One thing that is wrong. A segment of the path is a key, or an object that holds one. */
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The type a schema gives. */
export type InferOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output']

/** True for an object (or a function, as some libraries have it) with the interface. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard: unknown = Reflect.get(value, '~standard')
  return typeof standard === 'object' && standard !== null && typeof Reflect.get(standard, 'validate') === 'function'
}
