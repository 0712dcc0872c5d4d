import { parseCommand } from '@cmdop/policy'
import { CARRY_PREFIX, CmdopError, MAX_ACTION_WORDS } from '@cmdop/protocol'

/** What separates words in a script, or surrounds them. */
const BETWEEN_WORDS = /[\s;|&<>()'"`${}\\,:=]+/

/** Bytes of all words of one action together: they are signed with it. */
const MAX_WORDS_BYTES = 16_384

/**
 * Words of a command that may name files: those that are written out, as the shell would read them, and more. `~` stands for the
 * home directory. Which of them are files the machine knows. Throws `unsupported` for more than can be looked at.
 */
export function wordsOf(params: Record<string, unknown>): string[] {
  const { command } = params
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

function asWritten(text: string): string[] {
  return text.replaceAll(/\$(?:HOME\b|\{HOME\})/g, '~').split(BETWEEN_WORDS)
}

/** Without quotes and escapes, in every command that it runs. */
function asRead(command: string | string[]): string[] {
  return parseCommand(command, { cwd: undefined }).commands.flatMap(({ words, redirections }) =>
    [...words, ...redirections.map(({ target }) => target)].flatMap(({ values }) => values ?? []),
  )
}
