import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type ErrorCode, errorCodes, isErrorCode, isRetryable } from './error-codes.ts'

const codes = Object.keys(errorCodes) as ErrorCode[]

describe('docs/errors.md', () => {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, code = '', status, retryable, meaning, advice]) => ({
      code: code.replaceAll('`', ''),
      status: Number(status),
      retryable,
      meaning,
      advice,
    }))

  test('has a row for every code, in the order of the table, and for nothing else', () => {
    expect(rows.map(({ code }) => code)).toEqual(codes)
  })

  test('says the status, the policy and the meaning of each code as the table does', () => {
    const written = rows.map(({ code, status, retryable, meaning }) => [code, { status, retryable, meaning }])
    expect(Object.fromEntries(written)).toEqual(errorCodes)
  })

  test('says what to do about each code', () => {
    const without = rows.filter(({ advice = '' }) => !/^[A-Z`].{10,}\.$/.test(advice)).map(({ code }) => code)
    expect(without).toEqual([])
  })

  test('explains each policy', () => {
    for (const policy of ['always', 'idempotent', 'never']) expect(page).toMatch(new RegExp(`^- \`${policy}\`: `, 'm'))
  })
})

describe('the table of error codes', () => {
  test('names every code in snake_case and gives it a status of an error', () => {
    for (const code of codes) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
      expect(errorCodes[code].status).toBeGreaterThanOrEqual(400)
      expect(errorCodes[code].status).toBeLessThan(600)
      expect(errorCodes[code].meaning).toMatch(/^[A-Z].*\.$/)
    }
  })

  test.each(codes)('decides for one call whether a retry of `%s` can help', (code) => {
    const decided = {
      idempotent: isRetryable(code, { idempotent: true }),
      acting: isRetryable(code, { idempotent: false }),
    }
    const expected = {
      always: { idempotent: true, acting: true },
      idempotent: { idempotent: true, acting: false },
      never: { idempotent: false, acting: false },
    }
    expect(decided).toEqual(expected[errorCodes[code].retryable])
  })

  test.each(['toString', '__proto__', 'constructor', '', 'AUTH', 5, null, undefined])('does not know %s', (value) => {
    expect(isErrorCode(value)).toBe(false)
  })
})
