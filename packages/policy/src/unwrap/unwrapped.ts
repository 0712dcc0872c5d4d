import type { SimpleCommand, Word } from '../parse/simple-command.ts'
import { parseScript } from '../parse/parse-script.ts'

/** What a program that runs others would run. */
export interface Unwrapped {
  readonly commands: readonly SimpleCommand[]
  /** Why it is not known what it runs; undefined: it is, and the program itself adds nothing. */
  readonly unknown?: string | undefined
  /** Why a script that it runs is not understood. */
  readonly problem?: string | undefined
}

/** Looks into one program that runs others. */
export type Unwrap = (command: SimpleCommand) => Unwrapped | undefined

/** It is not known what a program runs. */
export function runsUnknown(why: string): Unwrapped {
  return { commands: [], unknown: why }
}

/** A program that runs no other this time. */
export const RUNS_NOTHING: Unwrapped = { commands: [] }

/** What {@link runsWords} may change of the command around. */
type Inner = Partial<Pick<SimpleCommand, 'assignments' | 'cwd' | 'on' | 'given'>>

/** A program that runs these words as a command. */
export function runsWords(command: SimpleCommand, words: readonly Word[], inner: Inner = {}): Unwrapped {
  return { commands: [innerCommand(command, words, inner)] }
}

/** The words as a command within another. */
export function innerCommand(command: SimpleCommand, words: readonly Word[], inner: Inner = {}): SimpleCommand {
  const { via, cwd, on, pipedFrom, given, mayBeIn } = command
  const from = {
    cwd,
    on,
    pipedFrom,
    ...(given === undefined ? {} : { given }),
    ...(mayBeIn === undefined ? {} : { mayBeIn }),
  }
  return { ...from, assignments: [], redirections: [], words, via: [...via, nameOf(command)], ...inner }
}

/** A program that has a shell run this text. */
export function runsScript(command: SimpleCommand, text: string, inner: Inner = {}): Unwrapped {
  const { via, cwd, on, pipedFrom, given } = command
  const place = { cwd, on, pipedFrom, given, via: [...via, nameOf(command)], ...inner }
  const { commands, problem } = parseScript(text, place)
  return { commands, problem }
}

function nameOf({ words: [name] }: SimpleCommand): string {
  const text = name?.values?.[0] ?? ''
  return text.slice(text.lastIndexOf('/') + 1)
}
