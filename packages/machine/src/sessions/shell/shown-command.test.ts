import { expect, test } from 'vitest'
import { shownCommand } from './shown-command.ts'

test('a command is shown without anything that a terminal obeys or that turns the text around', () => {
  const shown = shownCommand('a\x1b[2J\x7f\x9b31m\u202eb\u2066c\tä\nend\n').toString()
  expect(shown).toBe('a^[[2J^?<U+009B>31m<U+202E>b<U+2066>c\tä\r\nend\r\n')
})
