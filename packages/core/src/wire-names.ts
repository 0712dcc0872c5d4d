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
  return renaming(schema, fromNames)(value) as FromWire<z.output<Schema>>
}

/**
 * What is sent for it: the names of the wire. A name that the schema does not know stays as it is, and the relay says that it knows
 * none such; what is undefined is left out, and null is sent.
 */
export function toWire<Schema extends z.ZodType>(schema: Schema, value: ToWire<Schema>): z.input<Schema> {
  return renaming(schema, toNames)(value) as z.input<Schema>
}

/** A query as it is sent: the names of the wire, and text. What the schema does not know is sent as it is, and the relay refuses it. */
export function toQuery(schema: z.ZodType, given: object): Record<string, string | number | boolean | undefined> {
  return renaming(schema, toNames)(given) as Record<string, string | number | boolean | undefined>
}

type Definition = z.core.$ZodTypes['_zod']['def']
type Shape = Readonly<Record<string, $ZodType>>

/** Gives a value its other names. */
type Renaming = (value: unknown) => unknown

/** How the fields of an object are named on both sides, and which end of a pipe the value is of. */
interface Direction {
  readonly names: (wireName: string) => { from: string; to: string }
  readonly end: 'in' | 'out'
  /** Made once for each schema: a list has thousands of values of one. */
  readonly known: WeakMap<$ZodType, Renaming>
}

const fromNames: Direction = { names: (name) => ({ from: name, to: camel(name) }), end: 'out', known: new WeakMap() }
const toNames: Direction = { names: (name) => ({ from: camel(name), to: name }), end: 'in', known: new WeakMap() }

function camel(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function renaming(schema: $ZodType, direction: Direction): Renaming {
  const before = direction.known.get(schema)
  if (before !== undefined) return before
  // Until it is made: a schema may contain itself.
  direction.known.set(schema, (value) => renaming(schema, direction)(value))
  const made = makeRenaming(schema, direction)
  direction.known.set(schema, made)
  return made
}

/** What has no names inside. */
const same: Renaming = (value) => value

function makeRenaming(schema: $ZodType, direction: Direction): Renaming {
  const { def } = schema as unknown as { readonly def: Definition }
  if (def.type === 'object') return ofFields(def.shape, direction)
  if (def.type === 'array') return ofItems(renaming(def.element, direction))
  if (def.type === 'record') return ofValues(renaming(def.valueType, direction))
  if (def.type === 'union') return ofOptions(def.options, direction)
  if (def.type === 'pipe') return renaming(def[direction.end], direction)
  if (def.type === 'lazy') return (value) => renaming(def.getter(), direction)(value)
  // Optional, nullable, with a default and the like.
  return 'innerType' in def ? renaming(def.innerType, direction) : same
}

function ofItems(item: Renaming): Renaming {
  return item === same ? same : (value) => (Array.isArray(value) ? value.map(item) : value)
}

function ofValues(item: Renaming): Renaming {
  if (item === same) return same
  return (value) =>
    isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, item(each)])) : value
}

function ofFields(shape: Shape, direction: Direction): Renaming {
  const fields = new Map(
    Object.entries(shape).map(([name, schema]) => {
      const { from, to } = direction.names(name)
      return [from, { to, rename: renaming(schema, direction) }] as const
    }),
  )
  return (value) => {
    if (!isObject(value)) return value
    const given: Record<string, unknown> = {}
    for (const name of Object.keys(value)) {
      const field = fields.get(name)
      const item = value[name]
      if (field === undefined) given[name] = item
      else given[field.to] = field.rename === same ? item : field.rename(item)
    }
    return given
  }
}

/** The first option that it is one of, by what it looks like once it is renamed for it. */
function ofOptions(options: readonly $ZodType[], direction: Direction): Renaming {
  if (options.every((option) => renaming(option, direction) === same)) return same
  return (value) => {
    if (!isObject(value)) return value
    for (const option of options) {
      const named = renaming(option, direction)(value)
      const wire = direction.end === 'in' ? named : value
      if ((option as z.ZodType).safeParse(wire).success) return named
    }
    return value
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
