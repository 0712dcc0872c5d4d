import type { z } from 'zod'

type $ZodType = z.core.$ZodType

type Camel<Name> = Name extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Name

/** A value of the wire with the names of TypeScript: `next_cursor` is `nextCursor`, at every depth. Records keep their keys. */
export type FromWire<Value> = unknown extends Value
  ? Value
  : Value extends readonly (infer Item)[]
    ? FromWire<Item>[]
    : Value extends object
      ? string extends keyof Value
        ? { [Name in keyof Value]: FromWire<Value[Name]> }
        : { [Name in keyof Value as Camel<Name>]: FromWire<Value[Name]> }
      : Value

/** What callers give for a schema of the wire, with the names of TypeScript. */
export type ToWire<Schema extends z.ZodType> = FromWire<z.input<Schema>>

/** The value with the names of TypeScript. `value` is what the schema gave when it parsed. */
export function fromWire<Schema extends z.ZodType>(
  schema: Schema,
  value: z.output<Schema>,
): FromWire<z.output<Schema>> {
  return renamed(schema, value, fromNames) as FromWire<z.output<Schema>>
}

/**
 * What is sent for it: the names of the wire. A name that the schema does not know stays as it is, and the relay says that it knows
 * none such; what is undefined is left out, and null is sent.
 */
export function toWire<Schema extends z.ZodType>(schema: Schema, value: ToWire<Schema>): z.input<Schema> {
  return renamed(schema, value, toNames) as z.input<Schema>
}

/** A query as it is sent: the names of the wire, and text. What the schema does not know is sent as it is, and the relay refuses it. */
export function toQuery(schema: z.ZodType, given: object): Record<string, string | number | boolean | undefined> {
  return renamed(schema, given, toNames) as Record<string, string | number | boolean | undefined>
}

type Definition = z.core.$ZodTypes['_zod']['def']

/** How the fields of an object are named on both sides, and which end of a pipe the value is of. */
interface Direction {
  readonly names: (wireName: string) => { from: string; to: string }
  readonly end: 'in' | 'out'
}

const fromNames: Direction = { names: (name) => ({ from: name, to: camel(name) }), end: 'out' }
const toNames: Direction = { names: (name) => ({ from: camel(name), to: name }), end: 'in' }

function camel(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function renamed(schema: $ZodType, value: unknown, direction: Direction): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { def } = schema as unknown as { readonly def: Definition }
  if (def.type === 'object') return renamedFields(def.shape, value, direction)
  if (def.type === 'array' && Array.isArray(value)) return value.map((item) => renamed(def.element, item, direction))
  if (def.type === 'record') return renamedValues(def.valueType, value, direction)
  if (def.type === 'union') return renamedOption(def.options, value, direction)
  if (def.type === 'pipe') return renamed(def[direction.end], value, direction)
  if (def.type === 'lazy') return renamed(def.getter(), value, direction)
  // Optional, nullable, with a default and the like.
  return 'innerType' in def ? renamed(def.innerType, value, direction) : value
}

function renamedValues(schema: $ZodType, value: object, direction: Direction): object {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renamed(schema, item, direction)]))
}

function renamedFields(shape: Readonly<Record<string, $ZodType>>, value: object, direction: Direction): object {
  const fields = fieldsOf(shape, direction)
  const given: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value)) {
    const field = fields.get(name)
    if (field === undefined) given[name] = item
    else given[field.to] = renamed(field.schema, item, direction)
  }
  return given
}

type Fields = ReadonlyMap<string, { readonly to: string; readonly schema: $ZodType }>

/** By the name that a value has them under. Kept with the shape: a list has thousands of objects of one. */
const known = { in: new WeakMap<object, Fields>(), out: new WeakMap<object, Fields>() }

function fieldsOf(shape: Readonly<Record<string, $ZodType>>, { names, end }: Direction): Fields {
  const before = known[end].get(shape)
  if (before !== undefined) return before
  const fields = new Map(
    Object.entries(shape).map(([name, schema]) => {
      const { from, to } = names(name)
      return [from, { to, schema }] as const
    }),
  )
  known[end].set(shape, fields)
  return fields
}

/** The first option that it is one of, by what it looks like once it is renamed for it. */
function renamedOption(options: readonly $ZodType[], value: object, direction: Direction): unknown {
  for (const option of options) {
    const named = renamed(option, value, direction)
    const wire = direction.end === 'in' ? named : value
    if ((option as z.ZodType).safeParse(wire).success) return named
  }
  return value
}
