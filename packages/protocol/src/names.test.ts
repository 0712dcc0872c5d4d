import { expect, test } from 'vitest'
import { ShownName } from './names.ts'

test('a name is one line that shows what it is, in any script', () => {
  for (const name of ['web-1', 'Ann O’Neill', 'Büro Köln', '東京 2', '👩‍💻'])
    expect(ShownName.parse(` ${name} `)).toBe(name)
  for (const name of [
    '',
    '  ',
    'a\nb',
    'a\u001b[31mb',
    'a\u0000',
    'a\u2028b',
    'a\u202eb',
    'a\u200b',
    'a\u200fb',
    'x'.repeat(121),
  ])
    expect(ShownName.safeParse(name).success).toBe(false)
})
