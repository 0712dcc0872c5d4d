import { CARRY_PREFIX, CmdopError, MAX_ACTION_WORDS } from '@cmdop/protocol'

/** What separates words in a script, or surrounds them. */
const BETWEEN_WORDS = /[\s;|&<>()'"`$={}\\,:]+/

/**
 * Words of a command that may name files: more than do, never fewer than are written out. Which of them are files the machine
 * knows. Throws `unsupported` for more than can be looked at.
 */
export function wordsOf(params: Record<string, unknown>): string[] {
  const { command } = params
  const found =
    typeof command === 'string' ? wordsOfScript(command) : Array.isArray(command) ? wordsOfArgv(command) : []
  const words = [...new Set(found)].filter((word) => word !== '' && word.length <= 4096).toSorted()
  if (words.length > MAX_ACTION_WORDS)
    throw new CmdopError(
      'unsupported',
      `A command of more than ${MAX_ACTION_WORDS} words cannot be approved; put it in a file and run that.`,
    )
  return words
}

function wordsOfScript(script: string): string[] {
  const text = script.startsWith(CARRY_PREFIX) ? script.slice(CARRY_PREFIX.length) : script
  return text.split(BETWEEN_WORDS)
}

/** Each word as it is, for names with spaces, and what is in it, for `--file=name` and for scripts that are passed on. */
function wordsOfArgv(argv: readonly unknown[]): string[] {
  return argv.flatMap((word) => (typeof word === 'string' ? [word, ...wordsOfScript(word)] : []))
}
