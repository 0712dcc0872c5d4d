import { type SimpleCommand, type Word, unknownWord, valueOf } from '../parse/simple-command.ts'
import { type Unwrapped, innerCommand } from './unwrapped.ts'

const EXECUTES = new Set(['-exec', '-execdir', '-ok', '-okdir'])

/** Every command that a `find` runs, with the paths that it finds left open. */
export function unwrapFind(command: SimpleCommand): Unwrapped | undefined {
  const { words } = command
  const commands: SimpleCommand[] = []
  const given = findRoots(words.slice(1))
  for (let index = 1; index < words.length; index += 1) {
    if (!EXECUTES.has(valueOf(words[index]) ?? '')) continue
    const end = endOf(words, index + 1)
    if (end === undefined) return { commands, unknown: 'where its command ends is not known' }
    commands.push(innerCommand(command, words.slice(index + 1, end).map(withPath), { cwd: undefined, given }))
    index = end
  }
  return commands.length === 0 ? undefined : { commands }
}

/** Where a `find` begins, as far as that is known. */
export function findRoots(words: readonly Word[]): string[] {
  const end = words.findIndex(({ values, start }) => /^[-(!]/.test(values?.[0] ?? start))
  const roots = (end < 0 ? words : words.slice(0, end)).flatMap(({ values, text }) => values ?? [text])
  return roots.length === 0 ? ['.'] : roots
}

/** The part of a `find` that is its own: without the commands that it runs. */
export function findOwnWords(words: readonly Word[]): readonly Word[] {
  const own: Word[] = []
  for (let index = 0; index < words.length; index += 1) {
    if (EXECUTES.has(valueOf(words[index]) ?? '')) index = endOf(words, index + 1) ?? words.length
    else own.push(words[index] as Word)
  }
  return own
}

/** A command ends with `;`, or with `+` after `{}`. */
function endOf(words: readonly Word[], start: number): number | undefined {
  for (let index = start; index < words.length; index += 1) {
    const word = words[index] as Word
    const text = valueOf(word)
    if (text === undefined && word.splits) return undefined
    if (text === ';' || (text === '+' && valueOf(words[index - 1]) === '{}')) return index
  }
  return undefined
}

/** What is found begins with where the search began, but may be anything after that. */
function withPath(word: Word): Word {
  const text = valueOf(word)
  if (text?.includes('{}') !== true) return word
  return unknownWord(text, `${text.slice(0, text.indexOf('{}'))}./`, false)
}
