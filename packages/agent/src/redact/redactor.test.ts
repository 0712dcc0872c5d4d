import * as fc from 'fast-check'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { createRedactor } from './redactor.ts'
import { Secret } from './secret.ts'

const secret = 'p@ss "w/ord" ünd+mehr'

function encodings(value: string): string[] {
  const escaped = JSON.stringify(value).slice(1, -1)
  const bytes = Buffer.from(value)
  const ascii = escaped.replaceAll('ü', '\\u00FC')
  return [
    value,
    escaped,
    ascii,
    ascii.replace('\\u00FC', '\\u00fc'),
    encodeURIComponent(value),
    encodeURIComponent(value).toLowerCase(),
    bytes.toString('hex'),
  ]
}

test.each(encodings(secret))('a secret is cut out as %s', (form) => {
  expect(createRedactor([secret]).text(`before ${form} after`)).toBe('before [redacted] after')
})

test.each([0, 1, 2, 3, 4])(
  'a secret within a longer base64 text is cut out, %s bytes after its beginning',
  (offset) => {
    const longer = Buffer.from(`${'x'.repeat(offset)}${secret}tail`)
    for (const alphabet of ['base64', 'base64url'] as const) {
      const shown = createRedactor([secret]).text(longer.toString(alphabet))
      const left = Buffer.from(shown.replace('[redacted]', ''), 'base64').toString('latin1')
      expect(shown).toContain('[redacted]')
      expect(left).not.toContain(secret.slice(2, 8))
    }
  },
)

test('a secret in base64 that is broken into lines is cut out', () => {
  const key = 'k'.repeat(30) + '0123456789'.repeat(6)
  const wrapped = Buffer.from(`head ${key} tail`).toString('base64').replace(/.{20}/g, '$&\n')
  expect(createRedactor([key]).text(wrapped).replaceAll('\n', '')).not.toContain(
    Buffer.from(key).toString('base64').slice(20, 40),
  )
})

test.each(['token_', 'token=', 'token: ', 'api_key_a', 'token="', 'a=', 'key    '])(
  'a megabyte of %j takes no more than its length',
  { timeout: 10_000 },
  (unit) => {
    const stream = createRedactor([secret]).stream()
    const piece = Buffer.from(unit.repeat(65_536 / unit.length))
    for (let count = 0; count < 16; count += 1) stream.push(piece)
    expect(stream.end().length).toBeLessThan(70_000)
  },
)

test('an assignment is found after another one', () => {
  const text = 'Environment: DB_PASSWORD=hunter two, mode = api_key: "one two", a=b=token=abc'
  expect(createRedactor([]).text(text)).toBe(
    'Environment: DB_PASSWORD=[redacted] two, mode = api_key: "[redacted]", a=b=token=[redacted]',
  )
})

test('wherever the pieces of a stream end, nothing of a secret passes and nothing else is lost', () => {
  const forms = [...encodings(secret), Buffer.from(secret).toString('base64'), 'DB_PASSWORD="hunter two"']
  const text = fc.array(
    fc.oneof(fc.constantFrom(...forms), fc.constantFrom('p', 'p@ss', 'ordinary words\n', 'A_TOKEN', ' = ', 'ü')),
    {
      maxLength: 12,
    },
  )
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (parts, sizes) => {
      const whole = Buffer.from(parts.join(' | '))
      const stream = createRedactor([secret]).stream()
      const shown: Buffer[] = []
      for (let at = 0, turn = 0; at < whole.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1
        shown.push(stream.push(whole.subarray(at, at + size)))
        at += size
      }
      shown.push(stream.end())
      const result = Buffer.concat(shown).toString()
      for (const form of forms.slice(0, 8)) expect(result).not.toContain(form)
      expect(result).not.toContain('hunter two')
      expect(result).toBe(createRedactor([secret]).text(whole.toString()))
    }),
    { numRuns: 300 },
  )
})

test('a value with the name of a secret is cut out, and later without its name', () => {
  const redactor = createRedactor([])
  expect(redactor.text('PATH=/bin\nAWS_SECRET_ACCESS_KEY=abc123def456ghi\nHOME=/root')).toBe(
    'PATH=/bin\nAWS_SECRET_ACCESS_KEY=[redacted]\nHOME=/root',
  )
  expect(redactor.text(`it is ${Buffer.from('abc123def456ghi').toString('base64')}`)).toBe('it is [redacted]')
})

test.each([
  'max_tokens=4096',
  'TOKEN_TTL=3600',
  'the token is required',
  'GITHUB_TOKEN=',
  'TOKEN=$TOKEN',
  'keyboard: us',
])('%s is no secret', (text) => expect(createRedactor([]).text(text)).toBe(text))

test('texts and keys of a value are cleaned', () => {
  expect(createRedactor(['abcdef']).value({ abcdef: ['x abcdef', 1, null] })).toEqual({
    '[redacted]': ['x [redacted]', 1, null],
  })
})

test('a Secret shows itself nowhere', () => {
  const value = new Secret('hunter2')
  expect([String(value), JSON.stringify({ value }), inspect({ value }), value.reveal()]).toEqual([
    '[secret]',
    '{"value":"[secret]"}',
    '{ value: [secret] }',
    'hunter2',
  ])
  expect(() => new Secret('abc')).toThrow(expect.objectContaining({ code: 'validation' }) as Error)
})
