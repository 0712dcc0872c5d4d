import type { JsonSchema } from './json-schema.ts'
import { isToolInput, wrapped } from './wrap.ts'

/** The form in which an answer travels as the input of a tool. */
export interface Envelope {
  /** An object at its root, as every provider demands. */
  readonly schema: JsonSchema
  /** The answers an input may hold, likeliest first, with what travels beside them. */
  open(input: unknown): Opened[]
  /** What a part of the input, while it is written, says of the answer. */
  partial(input: unknown): unknown
}

/** An answer, and what came beside it by name. */
export interface Opened {
  readonly value: unknown
  readonly beside: Readonly<Record<string, unknown>>
}

/** An object travels as it is; anything else, and anything with something beside it, as the field `result`. */
export function envelopeOf(json: JsonSchema, beside: Readonly<Record<string, JsonSchema>>): Envelope {
  const names = Object.keys(beside)
  if (names.length === 0 && isToolInput(json)) {
    return { schema: json, open: (input) => [{ value: input, beside: {} }], partial: (input) => input }
  }
  const { properties, required = [], ...rest } = wrapped(json)
  const order = [...required, ...names]
  return {
    schema: { ...rest, properties: { ...properties, ...beside }, required: order },
    open: (input) => opened(input, names),
    partial: (input) => (typeof input !== 'object' || input === null ? input : Reflect.get(input, 'result')),
  }
}

/** A model may wrap the value as told, send its JSON as a string, or forget the wrapper. In that order. */
function opened(input: unknown, names: readonly string[]): Opened[] {
  if (typeof input !== 'object' || input === null || !('result' in input)) return [{ value: input, beside: {} }]
  const { result } = input
  const beside = Object.fromEntries(names.map((name) => [name, decoded(Reflect.get(input, name))]))
  const values = typeof result === 'string' ? [result, ...parsed(result), input] : [result, input]
  return values.map((value) => ({ value, beside }))
}

function decoded(value: unknown): unknown {
  return typeof value === 'string' ? (parsed(value)[0] ?? value) : value
}

function parsed(text: string): unknown[] {
  if (!/^\s*[[{]/.test(text)) return []
  try {
    return [JSON.parse(text)]
  } catch {
    return []
  }
}
