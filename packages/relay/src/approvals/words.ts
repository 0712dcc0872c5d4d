import { parseCommand } from '@cmdop/policy'
import { CARRY_PREFIX, CmdopError, MAX_ACTION_WORDS } from '@cmdop/protocol'
import { expandBraces } from './braces.ts'

/** What separates words in a script, or surrounds them. */
const BETWEEN_WORDS = /[\s;|&<>()'"`${}\\,:=]+/

/** The same, where braces stand for several words, less quotes and escapes. */
const AROUND_BRACES = /[\s;|&<>()`]+/
const QUOTES = /["'\\]+/g

/** A change to a directory that is known by a pattern only. */
const CHANGE_BY_PATTERN = /(?:^|[\s;&|(])(?:(?:cd|pushd)\s[^;&|\n]*|(?:-C|--chdir|--directory)[\s=]*[^\s;&|]*)[*?[]/

/** What gives words another meaning to the shell. */
const OTHER_SHELL = /\b(?:extglob|globstar|nocaseglob|CDPATH)\b/

/** Bytes of all words of one action together: they are signed with it. */
const MAX_WORDS_BYTES = 16_384

/**
 * Words of a command that may name files: those that are written out, as the shell would read them, and more. `~` stands for the
 * home directory. Which of them are files the machine knows. Throws `unsupported` for more than can be looked at.
 */
export function wordsOf(params: Record<string, unknown>): string[] {
  const { command } = params
  for (const text of [command].flat()) if (typeof text === 'string') assertPlain(text)
  const found = typeof command === 'string' ? ofScript(command) : Array.isArray(command) ? ofArgv(command) : []
  const words = [...new Set(found)].filter((word) => word !== '' && word.length <= 4096).toSorted()
  const bytes = words.reduce((sum, word) => sum + Buffer.byteLength(word), 0)
  if (words.length > MAX_ACTION_WORDS || bytes > MAX_WORDS_BYTES)
    throw new CmdopError('unsupported', 'A command of so many words cannot be approved; put it in a file and run that.')
  return words
}

function ofScript(script: string): string[] {
  const text = script.startsWith(CARRY_PREFIX) ? script.slice(CARRY_PREFIX.length) : script
  return [...asWritten(text), ...asRead(text)]
}

/** Each word as it is, for names with spaces, and what is in it, for `--file=name` and for scripts that are passed on. */
function ofArgv(argv: readonly unknown[]): string[] {
  const words = argv.filter((word) => typeof word === 'string')
  return [...words, ...words.flatMap(asWritten), ...asRead(words)]
}

function asWritten(given: string): string[] {
  const text = withHome(given)
  const unquoted = text.replaceAll(QUOTES, '')
  const braced = [...text.split(QUOTES), unquoted].flatMap((part) => part.split(AROUND_BRACES)).filter(hasBraces)
  return [...text.split(BETWEEN_WORDS), ...braced.flatMap(expandBraces)]
}

/** Without quotes and escapes, in every command that it runs; of what is a pattern, or has braces, what it is made of. */
function asRead(command: string | string[]): string[] {
  const found = parseCommand(command, { cwd: undefined }).commands.flatMap(({ words, redirections }) => [
    ...words,
    ...redirections.map(({ target }) => target),
  ])
  return found.flatMap(({ values, text }) => values ?? expandBraces(withHome(text).replaceAll(QUOTES, '')))
}

function withHome(text: string): string {
  return text.replaceAll(/\$(?:HOME\b|\{HOME\})/g, '~')
}

function hasBraces(word: string): boolean {
  return word.includes('{')
}

/** Throws `unsupported` for what makes it unknown which files the words name. */
function assertPlain(text: string): void {
  if (CHANGE_BY_PATTERN.test(text))
    throw new CmdopError(
      'unsupported',
      'A command that changes to a directory by a pattern cannot be approved; name the directory.',
    )
  const [option] = OTHER_SHELL.exec(text) ?? []
  if (option !== undefined)
    throw new CmdopError(
      'unsupported',
      `A command with ${option} cannot be approved: it changes which files its words name. Name them without it.`,
    )
}
