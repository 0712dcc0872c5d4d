import type { Command } from 'commander'

/** The command that words of a command line name, as deep as they go: `machines get web-1` is `machines get`. */
export function namedCommand(program: Command, words: readonly string[]): Command {
  const [word, ...rest] = words
  const next = program.commands.find((command) => command.name() === word)
  return next === undefined ? program : namedCommand(next, rest)
}

/** How people type it: `cmdop machines get`. */
export function typedName(command: Command): string {
  return command.parent === null ? command.name() : `${typedName(command.parent)} ${command.name()}`
}
