import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from './canonical-json.ts'

/** Keys of every kind: indices, `__proto__`, emoji, lone surrogates. */
const key = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.nat({ max: 30 }).map(String),
  fc.constantFrom('__proto__', 'constructor', 'toString', '', '\ud800', '01', '-1', '4294967295'),
)
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }).map(objectOf),
  ),
}))

test('Equal values give equal text, in whatever order their keys were set', () => {
  const seeded = fc.tuple(value, fc.infiniteStream(fc.nat()))
  const equal = fc.property(seeded, ([original, numbers]) => {
    expect(canonicalJson(shuffled(original, numbers))).toBe(canonicalJson(original))
  })
  fc.assert(equal, { numRuns: 500 })
})

test('The text is the value: it reads back as what JSON keeps of it, and is stable', () => {
  const stable = fc.property(value, (original) => {
    const text = canonicalJson(original)
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(original)))
    expect(canonicalJson(JSON.parse(text))).toBe(text)
  })
  fc.assert(stable, { numRuns: 500 })
})

test('Different values give different text', () => {
  const different = fc.property(value, value, (one, other) => {
    const isEqual = JSON.stringify(shuffledBack(one)) === JSON.stringify(shuffledBack(other))
    expect(canonicalJson(one) === canonicalJson(other)).toBe(isEqual)
  })
  fc.assert(different, { numRuns: 500 })
})

test('A key named __proto__ is a key like any other', () => {
  expect(canonicalJson(JSON.parse('{"b":1,"__proto__":{"a":2}}'))).toBe('{"__proto__":{"a":2},"b":1}')
})

test('Keys are in the order of their code units, also indices; undefined is left out', () => {
  expect(canonicalJson({ b: undefined, a: 1, 10: 'x', 9: 'y', Z: [undefined] })).toBe(
    '{"10":"x","9":"y","Z":[null],"a":1}',
  )
  // The sample of RFC 8785, section 3.2.3.
  const sample = { '€': 1, '\r': 2, '\ufb33': 3, '1': 4, '😀': 5, '\u0080': 6, ö: 7 }
  expect(Object.keys(sample)).not.toEqual(['\r', '1', '\u0080', 'ö', '€', '😀', '\ufb33'])
  expect([...canonicalJson(sample).matchAll(/:(\d)/g)].map(([, order]) => order).join('')).toBe('2467153')
  expect(canonicalJson(undefined)).toBe('null')
})

function objectOf(entries: [string, unknown][]): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  for (const [name, item] of entries) {
    Object.defineProperty(object, name, { value: item, enumerable: true, configurable: true, writable: true })
  }
  return object
}

/** The same value with its keys set in another order, picked by the numbers. */
function shuffled(original: unknown, numbers: Iterator<number>): unknown {
  if (Array.isArray(original)) return original.map((item) => shuffled(item, numbers))
  if (typeof original !== 'object' || original === null) return original
  const weighted = Object.entries(original).map(([name, item]) => ({
    weight: Number(numbers.next().value),
    entry: [name, shuffled(item, numbers)] as [string, unknown],
  }))
  return objectOf(weighted.sort((one, other) => one.weight - other.weight).map(({ entry }) => entry))
}

/** Keys in one order, by another way than the code under test. */
function shuffledBack(original: unknown): unknown {
  if (Array.isArray(original)) return original.map((item) => shuffledBack(item) ?? null)
  if (typeof original !== 'object' || original === null) return original
  return Object.entries(original)
    .map(([name, item]): [string, unknown] => [`.${name}`, shuffledBack(item)])
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .concat([['object', true]])
}
