import { type Redirection, type SimpleCommand, type Word, unknownWord, valueOf } from '../parse/simple-command.ts'
import { optionTable, readLeading } from './options.ts'
import { type Unwrapped, RUNS_NOTHING, runsUnknown, runsWords } from './unwrapped.ts'

const options = optionTable(
  '0 r t p x o null no-run-if-empty verbose interactive exit open-tty show-limits replace eof max-lines',
  'I n L P s d E a J R S arg-file delimiter max-args max-procs max-chars process-slot-var',
)

/** A command with words that are read from somewhere: at its end, or where a word of `-I` stands. */
export function unwrapXargs(command: SimpleCommand): Unwrapped {
  const { options: given, rest, unknown } = readLeading(withoutAttached(command.words.slice(1)), options)
  if (unknown !== undefined) return runsUnknown(unknown)
  if (rest.length === 0) return RUNS_NOTHING
  const replaced = given.find(({ name }) => name === 'I' || name === 'J' || name === 'replace')
  const read = [...(command.given ?? []), ...command.redirections.flatMap(inputOf)]
  if (replaced === undefined) return runsWords(command, [...rest, unknownWord('...')], { given: read })
  const mark = replaced.value === undefined ? '{}' : valueOf(replaced.value)
  if (mark === undefined || mark === '') return runsUnknown('its words are not known')
  return runsWords(
    command,
    rest.map((word) => withReplaced(word, mark)),
    { given: read },
  )
}

/** The words of a text that stands in the command itself. */
function inputOf({ kind, target }: Redirection): string[] {
  return kind === 'input' ? (valueOf(target)?.split(/\s+/) ?? []).slice(0, 64) : []
}

/** `-i{}`, `-l1`, `-e`: their values are always attached. */
function withoutAttached(words: readonly Word[]): readonly Word[] {
  const first = valueOf(words[0])
  if (first === undefined || !/^-[ile]/.test(first)) return words
  const mark = first.slice(2)
  if (!first.startsWith('-i')) return words.slice(1)
  const replace = `--replace=${mark === '' ? '{}' : mark}`
  return [{ text: first, values: [replace], start: replace, splits: false }, ...words.slice(1)]
}

function withReplaced(word: Word, mark: string): Word {
  const text = valueOf(word)
  if (text?.includes(mark) !== true) return word
  return unknownWord(text, text.slice(0, text.indexOf(mark)), false)
}
