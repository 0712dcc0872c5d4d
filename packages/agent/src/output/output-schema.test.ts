import { expect, test } from 'vitest'
import * as z from 'zod'
import { z as z3 } from 'zod/v3'
import { createOutputSchema } from './output-schema.ts'

test('descriptions reach the model, and the schema is draft 7 of what goes in', () => {
  const schema = z.object({
    host: z.string().describe('The host name'),
    count: z.string().transform(Number),
    unit: z.string().default('GB'),
  })
  expect(createOutputSchema(schema).toolSchema).toEqual({
    type: 'object',
    properties: {
      host: { type: 'string', description: 'The host name' },
      count: { type: 'string' },
      unit: { type: 'string', default: 'GB' },
    },
    required: ['host', 'count'],
  })
})

test('the value is what the schema makes of it', async () => {
  const { check } = createOutputSchema(
    z.object({ count: z.string().transform(Number), unit: z.string().default('GB') }),
  )
  await expect(check({ count: '7' })).resolves.toEqual({ fits: true, value: { count: 7, unit: 'GB' }, beside: {} })
})

test('every issue is named by its path', async () => {
  const { check } = createOutputSchema(z.object({ disks: z.array(z.object({ free: z.number() })), name: z.string() }))
  await expect(check({ disks: [{ free: 1 }, { free: 'x' }] })).resolves.toEqual({
    fits: false,
    issues: [
      'disks.1.free: Invalid input: expected number, received string',
      'name: Invalid input: expected string, received undefined',
    ],
  })
})

test('references keep their place when a schema is wrapped', () => {
  const Tree = z.object({
    name: z.string(),
    get children() {
      return z.array(Tree)
    },
  })
  const json = createOutputSchema(z.array(Tree)).toolSchema
  expect(json).toMatchObject({
    properties: { result: { type: 'array', items: { $ref: expect.stringMatching(/^#\/definitions\//) as string } } },
  })
  expect(json.definitions).toBeDefined()
  expect(
    createOutputSchema({ type: 'array', items: { anyOf: [{ type: 'string' }, { $ref: '#' }] } }).toolSchema,
  ).toMatchObject({
    properties: { result: { items: { anyOf: [{ type: 'string' }, { $ref: '#/properties/result' }] } } },
  })
})

test.each([
  ['an object without fields', z.object({})],
  ['any value', z.any()],
  ['unknown', z.unknown()],
  ['an object of anything', z.looseObject({})],
  ['nothing at all', z.never()],
  ['a date', z.object({ at: z.date() })],
  ['a custom type', z.object({ at: z.custom(() => true) })],
  ['a bigint', z.bigint()],
  ['an empty JSON Schema', {}],
  ['a JSON Schema without fields', { type: 'object' }],
  ['a JSON Schema with an unknown type', { type: 'strng' }],
  ['a JSON Schema with a condition', { type: 'object', properties: { a: { type: 'string' } }, if: {} }],
  ['a JSON Schema with a reference to nowhere', { type: 'object', properties: { a: { $ref: '#/definitions/none' } } }],
  ['no schema at all', 'hostname'],
  ['an empty Zod 3 object', z3.object({})],
  ['a Zod 3 date', z3.object({ at: z3.date() })],
  ['a Zod 3 custom type', z3.object({ at: z3.instanceof(URL) })],
])('%s is refused where it is defined', (_, schema) => {
  expect(() => createOutputSchema(schema as never)).toThrow(
    expect.objectContaining({ code: 'schema_invalid' }) as Error,
  )
})

test('a Zod 3 schema is converted with its descriptions and judged by itself', async () => {
  const schema = createOutputSchema(
    z3.object({ name: z3.string().min(2).describe('The name'), size: z3.number().optional() }),
  )
  expect(schema.toolSchema).toMatchObject({
    type: 'object',
    properties: { name: { type: 'string', minLength: 2, description: 'The name' }, size: { type: 'number' } },
    required: ['name'],
  })
  await expect(schema.check({ name: 'a' })).resolves.toMatchObject({
    fits: false,
    issues: [expect.stringContaining('name: String must contain')],
  })
})

test('a recursive Zod 3 list keeps its references when it is wrapped', () => {
  interface Tree {
    children: Tree[]
  }
  const tree: z3.ZodType<Tree> = z3.lazy(() => z3.object({ children: z3.array(tree) }))
  expect(JSON.stringify(createOutputSchema(z3.array(tree)).toolSchema)).toContain('"$ref":"#/properties/result/items"')
})

test('another Standard Schema is used through its own JSON Schema', async () => {
  const even = {
    '~standard': {
      version: 1,
      vendor: 'example',
      validate: (value: unknown) =>
        typeof value === 'number' && value % 2 === 0
          ? { value }
          : { issues: [{ message: 'not even', path: [{ key: 'n' }] }] },
      jsonSchema: { input: () => ({ type: 'number' }) },
    },
  } as const
  const schema = createOutputSchema(even)
  await expect(schema.check({ result: 4 })).resolves.toEqual({ fits: true, value: 4, beside: {} })
  await expect(schema.check({ result: 3 })).resolves.toEqual({ fits: false, issues: ['n: not even'] })
})

test('a Standard Schema without JSON Schema is refused by the name of its library', () => {
  const schema = { '~standard': { version: 1, vendor: 'example', validate: (value: unknown) => ({ value }) } } as const
  expect(() => createOutputSchema(schema)).toThrow('the library "example" gives no JSON Schema')
})

test.each([
  [{ type: 'object', properties: { a: { type: 'integer', minimum: 1 } }, required: ['a'] }, { a: 1 }, { a: 0 }],
  [{ properties: { a: { type: 'integer' } }, required: ['a'] }, { a: 1 }, { a: 'x' }],
  [{ type: 'object', properties: { b: { type: 'string' } }, required: ['a'] }, { a: null }, { b: 'x' }],
  [{ type: 'object', properties: { a: { minimum: 3 } } }, { a: 3 }, { a: 1 }],
  [
    { type: 'object', properties: { a: { anyOf: [{ type: 'string' }, { type: 'null' }], minLength: 3 } } },
    { a: 'abc' },
    { a: 'ab' },
  ],
  [
    { type: 'object', properties: { k: { $ref: '#/definitions/K' } }, definitions: { K: { enum: ['x', 1] } } },
    { k: 'x' },
    { k: 'y' },
  ],
  [
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { k: { $ref: '#/$defs/K' } },
      $defs: { K: { type: 'number' } },
    },
    { k: 1 },
    { k: 'y' },
  ],
  [
    { type: 'object', properties: { at: { type: 'string', format: 'date-time' } } },
    { at: '2026-01-02T03:04:05Z' },
    { at: 'noon' },
  ],
  [
    { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false },
    { a: 'x' },
    { a: 'x', b: 1 },
  ],
])('a plain JSON Schema judges a value: %j', async (json, good, bad) => {
  const { check } = createOutputSchema(json)
  await expect(check(good)).resolves.toMatchObject({ fits: true })
  await expect(check(bad)).resolves.toMatchObject({ fits: false })
})
