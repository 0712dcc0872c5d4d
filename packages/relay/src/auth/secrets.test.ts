import { describe, expect, test } from 'vitest'
import { hashSecret, matchesHash, newSecret, parseSecret } from './secrets.ts'

describe('a secret', () => {
  test('is taken apart into what it was made of', () => {
    for (let round = 0; round < 50; round += 1) {
      const made = newSecret('ai')
      const shown = parseSecret(made.raw)
      expect(shown).toMatchObject({ kind: 'ai', id: made.id })
      expect(matchesHash(shown?.secret ?? '', made.hash)).toBe(true)
      expect(made.raw.startsWith(made.prefix)).toBe(true)
      expect(made.prefix).not.toContain(shown?.secret)
    }
  })

  test('is never the same twice, and has 256 random bits', () => {
    const raws = Array.from({ length: 200 }, () => newSecret('human').raw)
    expect(new Set(raws).size).toBe(200)
    expect(Buffer.from(parseSecret(raws[0] ?? '')?.secret ?? '', 'base64url')).toHaveLength(32)
  })

  test('of another form is none', () => {
    const { raw } = newSecret('human')
    for (const other of [
      '',
      'cmdop',
      raw.slice(1),
      `${raw}x`,
      raw.slice(0, -1),
      ` ${raw}`,
      `${raw}\n`,
      raw.toUpperCase(),
    ]) {
      expect(parseSecret(other)).toBeUndefined()
    }
  })

  test('fits only its own hash, and nothing fits a hash that is none', () => {
    expect(matchesHash('a', hashSecret('a'))).toBe(true)
    expect(matchesHash('b', hashSecret('a'))).toBe(false)
    expect(matchesHash('a', '')).toBe(false)
    expect(matchesHash('a', 'zz')).toBe(false)
  })
})
