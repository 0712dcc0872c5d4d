import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { skillInput, skillOutput } from './skill-command.ts'
import { schemaIssue, schemaMisfits } from './skill-schema.ts'

const object = (more: object): Record<string, unknown> => ({ type: 'object', ...more })
const nested = (levels: number, wrap: (inner: object) => object): object =>
  levels === 0 ? { type: 'null' } : wrap(nested(levels - 1, wrap))

describe('the schema of a skill', () => {
  test.each<[string, object]>([
    ['a pattern', { properties: { a: { type: 'string', pattern: '(a+)+$' } } }],
    ['a pattern below a definition called properties', { definitions: { properties: { pattern: '(a+)+$' } } }],
    ['a pattern for names', { propertyNames: { pattern: '(a+)+$' } }],
    ['a pattern in a list', { properties: { a: { type: 'array', items: [{ anyOf: [{ pattern: 'a' }] }] } } }],
    ['patterns of properties', { patternProperties: { '(a+)+$': {} } }],
    ['a reference to itself', { allOf: [{ $ref: '#' }] }],
    [
      'a chain of references',
      { definitions: { a: { allOf: [{ $ref: '#/definitions/b' }, { $ref: '#/definitions/b' }] } } },
    ],
    ['a dynamic reference', { properties: { a: { $dynamicRef: '#a' } } }],
    ['a recursive reference', { additionalProperties: { $recursiveRef: '#' } }],
    ['a type that is there twice', { properties: { a: { type: ['object', 'object'] } } }],
    ['a format that nobody knows', { properties: { a: { type: 'string', format: 'regex' } } }],
    ['properties that are none', { properties: 7 }],
    ['a property that is no name', { properties: JSON.parse('{"__proto__":{}}') as object }],
    ['too many schemas in each other', { properties: { a: nested(40, (a) => ({ type: 'array', items: a })) } }],
    ['more values than are checked', { properties: { a: { enum: Array.from({ length: 1000 }, (_, at) => at) } } }],
    ['more depth than a stack has', { x: nested(8000, (x) => ({ x })) }],
  ])('is refused with %s', (_, more) => {
    expect(schemaIssue(object(more))).toMatch(/^Expected/)
    expect(schemaMisfits(object(more), {}, 'it')).toHaveLength(1)
  })

  test('may have properties that are called like keywords, and texts that say them', () => {
    const schema = object({
      description: 'A pattern.',
      properties: { pattern: { type: 'string' }, $ref: { enum: ['$ref', 'x'] }, properties: { type: 'object' } },
      examples: [{ pattern: 'x', $ref: '#' }],
      additionalProperties: false,
    })
    expect(schemaIssue(schema)).toBeUndefined()
    expect(schemaMisfits(schema, { pattern: '(a+)+$', $ref: 'x' }, 'it')).toEqual([])
    expect(schemaMisfits(schema, { pattern: 7 }, 'it')).toEqual([expect.stringContaining('pattern: ')])
  })

  test('checks an input and an output in bounded steps, or says that there are too many', () => {
    const options = Array.from({ length: 100 }, (_, at) => ({ type: 'string', minLength: at }))
    const schema = object({ properties: { a: { type: 'array', items: { anyOf: options } } } })
    const many = { a: Array.from({ length: 30_000 }, () => 1) }
    expect(() => skillInput('some', { name: 'go', input: schema }, many)).toThrow(
      expect.objectContaining({ code: 'validation', message: expect.stringContaining('at most') as string }),
    )
    const stdout = JSON.stringify({ ok: true, ...many })
    const said = { exitCode: 0, stdout, stderr: '' }
    expect(() => skillOutput('some', { name: 'go', output: schema }, said)).toThrow(
      expect.objectContaining({ code: 'skill_failed' }),
    )
    const deep = { a: JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`) as unknown }
    expect(() => skillInput('some', { name: 'go', input: object({}) }, deep)).toThrow(
      expect.objectContaining({ code: 'validation' }),
    )
  })

  test('that is accepted looks at no part of a value more often than it has parts itself', () => {
    const types = fc.constantFrom('object', 'array', 'string', 'number')
    const leaf = fc.record(
      {
        type: fc.oneof(
          { arbitrary: fc.uniqueArray(types, { minLength: 1 }), weight: 20 },
          { arbitrary: fc.constant(['object', 'object', 'object']), weight: 1 },
        ),
        uniqueItems: fc.boolean(),
        required: fc.subarray(['a', 'b']),
      },
      { requiredKeys: ['type'] },
    )
    const { schema } = fc.letrec<{ schema: object }>((tie) => {
      const list = fc.array(tie('schema'), { minLength: 1, maxLength: 2 })
      const names = fc.dictionary(fc.constantFrom('a', 'pattern', '$ref', 'properties'), tie('schema'), { maxKeys: 2 })
      const keyword = fc.oneof(
        fc.tuple(fc.constantFrom('properties', 'definitions'), names),
        fc.tuple(fc.constantFrom('items', 'additionalProperties', 'contains'), tie('schema')),
        fc.tuple(fc.constantFrom('items', 'allOf', 'anyOf', 'oneOf'), list),
      )
      const node = fc.tuple(leaf, fc.array(keyword, { maxLength: 2 }))
      const whole = node.map(([own, keywords]) => ({ ...own, ...Object.fromEntries(keywords) }))
      return { schema: fc.oneof({ maxDepth: 3, depthIdentifier: 'schema' }, leaf, whole) }
    })
    const value = fc.object({ key: fc.constantFrom('a', 'b', 'pattern'), maxDepth: 3, values: [fc.constant('a')] })
    let accepted = 0
    fc.assert(
      fc.property(schema, value, (some, given) => {
        const whole = object(some)
        if (schemaIssue({ ...whole, type: 'object' }) !== undefined) return
        accepted += 1
        const looks = { count: 0 }
        const issues = schemaMisfits({ ...whole, type: 'object' }, watched(given, looks), 'it')
        expect(issues.length).toBeLessThanOrEqual(20)
        expect(looks.count).toBeLessThanOrEqual(8 * parts(whole) * parts(given))
      }),
      { numRuns: 300 },
    )
    expect(accepted).toBeGreaterThan(20)
  })
})

/** The same value, which counts how often it is looked at. */
function watched(value: unknown, looks: { count: number }): unknown {
  if (typeof value !== 'object' || value === null) return value
  const inner = Array.isArray(value)
    ? value.map((each) => watched(each, looks))
    : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, watched(each, looks)]))
  const looked = <Result>(result: Result) => {
    looks.count += 1
    return result
  }
  return new Proxy(inner, {
    get: (target, key) => looked(Reflect.get(target, key) as unknown),
    ownKeys: (target) => looked(Reflect.ownKeys(target)),
    has: (target, key) => looked(Reflect.has(target, key)),
  })
}

function parts(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce((sum: number, each) => sum + parts(each), 1)
}
