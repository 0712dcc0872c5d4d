import { type FromWire, toWire } from '@cmdop/core'
import type { z } from 'zod'
import { writeJson } from './terminal.ts'

/** A resource, or the items of a list, with the names of the wire: `--json` says what the REST side does. */
export function writeResource<Schema extends z.ZodType>(
  schema: Schema,
  value: FromWire<z.output<Schema>> | { readonly items: readonly FromWire<z.output<Schema>>[] },
): Promise<void> {
  return writeJson(
    isList(value) ? { items: value.items.map((item) => wireNames(schema, item)) } : wireNames(schema, value),
  )
}

/** A resource with the names of the wire. */
export function wireNames<Schema extends z.ZodType>(schema: Schema, value: FromWire<z.output<Schema>>): unknown {
  return toWire(schema, value as FromWire<z.input<Schema>>)
}

function isList<Value>(
  value: Value | { readonly items: readonly Value[] },
): value is { readonly items: readonly Value[] } {
  return typeof value === 'object' && value !== null && 'items' in value && Array.isArray(value.items)
}
