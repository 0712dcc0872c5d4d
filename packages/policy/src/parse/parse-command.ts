import { CARRY_PREFIX } from '@cmdop/protocol'
import { MAX_COMMAND_LENGTH, MAX_COMMAND_WORDS } from './limits.ts'
import { parseScript } from './parse-script.ts'
import { unwrapAll } from '../unwrap/unwrap.ts'
import { type ParsedCommand, type SimpleCommand, literalWord } from './simple-command.ts'
import type { Place } from './walk.ts'

/** Where a command is run. */
export interface CommandPlace {
  readonly cwd?: string | undefined
}

/**
 * The simple commands of a string for `/bin/sh -c`, or of an argv, as they would run: of pipes, lists, loops, functions,
 * substitutions, and of programs that run others. Never throws; what it cannot understand it says in `problem`.
 */
export function parseCommand(command: string | readonly string[], { cwd }: CommandPlace = {}): ParsedCommand {
  const place: Place = { via: [], cwd, on: [] }
  if (typeof command !== 'string') return parseArgv(command, place)
  const text = command.startsWith(CARRY_PREFIX) ? command.slice(CARRY_PREFIX.length) : command
  const script = parseScript(text, place)
  if (script.problem !== undefined) return script
  return unwrapAll(script.commands)
}

function parseArgv(argv: readonly string[], { cwd, via, on }: Place): ParsedCommand {
  if (argv.length === 0) return { commands: [], problem: 'there is no command' }
  if (argv.length > MAX_COMMAND_WORDS || argv.some((word) => word.length > MAX_COMMAND_LENGTH))
    return { commands: [], problem: 'it is too long' }
  const command: SimpleCommand = {
    words: argv.map(literalWord),
    assignments: [],
    redirections: [],
    via,
    cwd,
    on,
    pipedFrom: undefined,
  }
  return unwrapAll([command])
}
