import { ApprovalInfo, MachineList, MachineUpdate, PolicyTestAnswer } from '@cmdop/protocol'
import {
  array,
  assert,
  constant,
  dictionary,
  integer,
  jsonValue,
  oneof,
  option,
  property,
  record,
  string,
} from 'fast-check'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { type FromWire, fromWire, toQuery, toWire } from './wire-names.ts'

const Schema = z.object({
  fleet_id: z.string(),
  kept_since: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  by_machine: z.record(z.string(), z.object({ exit_code: z.number() })),
  top_models: z.array(z.object({ model_id: z.string(), in_usd: z.number().optional() })).default([]),
  wait: z
    .discriminatedUnion('for', [
      z.object({ for: z.literal('person'), approval_id: z.string() }),
      z.object({ for: z.literal('bake'), until_ms: z.number() }),
    ])
    .nullable(),
  details: z.unknown(),
})

const wire = {
  fleet_id: 'f',
  kept_since: null,
  labels: { cost_center: 'a_b' },
  by_machine: { mch_1: { exit_code: 0 } },
  top_models: [{ model_id: 'm', in_usd: 1 }],
  wait: { for: 'person' as const, approval_id: 'apr_1' },
  details: { any_thing: { stays_so: 1 } },
}
const typescript = {
  fleetId: 'f',
  keptSince: null,
  labels: { cost_center: 'a_b' },
  byMachine: { mch_1: { exitCode: 0 } },
  topModels: [{ modelId: 'm', inUsd: 1 }],
  wait: { for: 'person' as const, approvalId: 'apr_1' },
  details: { any_thing: { stays_so: 1 } },
}

test('names change at every depth, and keys of records and what has no schema stay', () => {
  expect(fromWire(Schema, wire)).toEqual(typescript)
  expect(toWire(Schema, typescript)).toEqual(wire)
})

test('there and back gives the same for any value of a resource', () => {
  const words = string({ maxLength: 8 })
  const values = record({
    fleet_id: words,
    kept_since: option(words),
    labels: dictionary(words, words),
    by_machine: dictionary(words, record({ exit_code: integer() })),
    top_models: array(record({ model_id: words }), { maxLength: 3 }),
    wait: option(
      oneof(
        record({ for: constant('person' as const), approval_id: words }),
        record({ for: constant('bake' as const), until_ms: integer() }),
      ),
    ),
    details: jsonValue(),
  })
  assert(
    property(values, (value) => {
      expect(toWire(Schema, fromWire(Schema, value))).toEqual(value)
    }),
  )
})

test('what is left out stays out, and null is sent', () => {
  const Change = z.strictObject({ display_name: z.string().nullable().optional(), max_uses: z.number().optional() })
  expect(toWire(Change, {})).toEqual({})
  expect(toWire(Change, { displayName: null })).toEqual({ display_name: null })
})

test('a name that is not known is sent as it is, for the relay to refuse', () => {
  expect(toQuery(z.object({ per_page: z.coerce.number() }), { perPage: 5, nonsense: 1 })).toEqual({
    per_page: 5,
    nonsense: 1,
  })
})

test('the types say what the values are', () => {
  expectTypeOf<FromWire<MachineList>>().toExtend<{ nextCursor: string | null; items: { agentVersion: string }[] }>()
  expectTypeOf<FromWire<ApprovalInfo>['actions'][number]['params']>().toEqualTypeOf<Record<string, unknown> | null>()
  expectTypeOf<FromWire<z.input<typeof MachineUpdate>>>().toExtend<{
    labels?: Record<string, string | null> | undefined
  }>()
  expectTypeOf<FromWire<PolicyTestAnswer>['items'][number]['permittedBy']>().toEqualTypeOf<string>()
})
