import { expect, test } from 'vitest'
import * as z from 'zod'
import { z as zOther } from 'zod-other'
import { lower } from './dialect.ts'
import type { JsonSchema } from './json-schema.ts'
import { createOutputSchema } from './output-schema.ts'

const Health = z.object({
  host: z.string().min(1).describe('The host'),
  load: z.number().min(0).optional(),
  note: z.string().nullable().optional(),
  labels: z.record(z.string(), z.object({ value: z.string(), weight: z.number().optional() })),
  state: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('up'), since: z.string().optional() }),
    z.object({ kind: z.literal('down'), reason: z.string() }),
  ]),
  disks: z.array(z.object({ mount: z.string(), free: z.int().optional() })).max(10),
})

test('the strict form of OpenAI requires every property, closes every object and has no keyword that it refuses', () => {
  const { schema, strict } = lower(createOutputSchema(Health).toolSchema, 'openai-strict')
  expect(strict).toBe(true)
  const refused = ['minLength', 'minimum', 'maxItems', 'oneOf', 'allOf', 'propertyNames', 'default', 'const', '$schema']
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit)
    if (typeof node !== 'object' || node === null) return
    const { type, properties, required, additionalProperties } = node as JsonSchema
    if (type === 'object') {
      expect(required).toEqual(Object.keys(properties ?? {}))
      expect(additionalProperties).toBe(false)
    }
    for (const keyword of refused) expect(Object.keys(node)).not.toContain(keyword)
    Object.values(node).forEach(visit)
  }
  visit(schema)
  expect(schema.properties).toMatchObject({
    host: { description: 'The host (at least 1 characters)' },
    load: { type: ['number', 'null'] },
    labels: { type: 'array' },
  })
})

test('what comes back in the strict form is what the schema of its user means, and is judged by it', async () => {
  const { check } = createOutputSchema(Health, { dialect: 'openai-strict' })
  const given = {
    host: 'web-1',
    load: null,
    note: null,
    labels: [{ key: 'role', value: { value: 'web', weight: null } }],
    state: { kind: 'up', since: null },
    disks: [{ mount: '/', free: null }],
  }
  await expect(check(given)).resolves.toMatchObject({
    fits: true,
    value: {
      host: 'web-1',
      note: null,
      labels: { role: { value: 'web' } },
      state: { kind: 'up' },
      disks: [{ mount: '/' }],
    },
  })
  const result = await check(given)
  expect(result.fits && Object.keys(result.value as object)).toEqual(['host', 'note', 'labels', 'state', 'disks'])
  await expect(check({ ...given, host: '' })).resolves.toMatchObject({
    fits: false,
    issues: [expect.stringContaining('host:')],
  })
  await expect(check({ ...given, labels: { role: { value: 'web' } }, load: 1 })).resolves.toMatchObject({ fits: true })
})

test.each([
  ['a tuple', z.object({ pair: z.tuple([z.string(), z.number()]) })],
  ['an intersection', { type: 'object', properties: { both: { allOf: [{ type: 'string' }, { minLength: 2 }] } } }],
  ['an object with free keys', z.object({ any: z.object({ a: z.string() }).catchall(z.string()) })],
  ['a value of any kind', z.object({ any: z.unknown() })],
])('%s cannot be said strictly, and is sent as it is', (_, schema) => {
  const { toolSchema } = createOutputSchema(schema)
  expect(lower(toolSchema, 'openai-strict')).toMatchObject({ schema: toolSchema, strict: false })
})

test('a recursive schema keeps its references in the strict form', async () => {
  const Tree = z.object({
    name: z.string(),
    get children() {
      return z.array(Tree).optional()
    },
  })
  const schema = createOutputSchema(Tree, { dialect: 'openai-strict' })
  await expect(schema.check({ name: 'a', children: [{ name: 'b', children: null }] })).resolves.toMatchObject({
    fits: true,
  })
})

test('small servers get no reference, no oneOf and no pattern', () => {
  const Disk = z.object({ mount: z.string().regex(/^\//) }).meta({ id: 'Disk' })
  const json = createOutputSchema(z.object({ one: Disk, two: Disk }), { dialect: 'compatible' }).toolSchema
  expect(JSON.stringify(json)).not.toMatch(/\$ref|definitions|"pattern"/)
  expect(json.properties).toMatchObject({
    one: { properties: { mount: { description: `(matches ${JSON.stringify('^\\/')})` } } },
  })
})

test('a schema of another copy of Zod keeps its descriptions and is judged by itself', async () => {
  const schema = createOutputSchema(
    zOther.object({
      host: zOther.string().describe('The host'),
      disks: zOther.array(zOther.number()).describe('Free bytes'),
    }),
  )
  expect(schema.toolSchema.properties).toMatchObject({
    host: { description: 'The host' },
    disks: { description: 'Free bytes' },
  })
  await expect(schema.check({ host: 'a', disks: [1] })).resolves.toMatchObject({ fits: true })
  expect(() => createOutputSchema(zOther.object({}))).toThrow('The output schema is empty')
})
