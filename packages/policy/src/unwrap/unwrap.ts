import { MAX_SIMPLE_COMMANDS, MAX_WRAPPERS } from '../parse/limits.ts'
import type { ParsedCommand, SimpleCommand } from '../parse/simple-command.ts'
import { programName } from './program-name.ts'
import type { Unwrapped } from './unwrapped.ts'
import { wrappers } from './wrappers.ts'

/** Adds to each command that runs others what it runs, down to the last. The program itself stays, marked as a wrapper. */
export function unwrapAll(commands: readonly SimpleCommand[]): ParsedCommand {
  const found: SimpleCommand[] = []
  let problem: string | undefined
  const visit = (command: SimpleCommand, depth: number): void => {
    if (found.length >= MAX_SIMPLE_COMMANDS) {
      problem ??= 'there are too many commands in it'
      return
    }
    const unwrapped = unwrapOne(command)
    if (unwrapped === undefined) {
      found.push(command)
      return
    }
    found.push({ ...command, wrapper: { unknown: unwrapped.unknown } })
    problem ??= unwrapped.problem
    if (depth > MAX_WRAPPERS) problem ??= 'it is nested too deeply'
    else for (const inner of unwrapped.commands) visit(inner, depth + 1)
  }
  for (const command of commands) visit(command, 0)
  return { commands: found, problem }
}

function unwrapOne(command: SimpleCommand): Unwrapped | undefined {
  const name = programName(command)
  const unwrap = name === undefined || !Object.hasOwn(wrappers, name) ? undefined : wrappers[name]
  return unwrap?.(command)
}
