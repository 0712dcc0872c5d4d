import type { SimpleCommand, Word } from '../parse/simple-command.ts'

/**
 * What a command does, the worst last. `delete` is all after which something that was there may be gone: also emptied, replaced
 * by another, or thrown away on a server. `unknown` is what nobody can tell before it runs.
 */
export const commandClasses = ['read', 'change', 'unknown', 'delete'] as const

export type CommandClass = (typeof commandClasses)[number]

/** A class, and why: the rest of a sentence that begins with the command. */
export interface Verdict {
  readonly class: CommandClass
  readonly reason: string
}

/** Decides on a command by the words after its name. */
export type Check = (words: readonly Word[], command: SimpleCommand) => Verdict

export const READS: Verdict = { class: 'read', reason: 'only reads' }

export function changes(reason: string): Verdict {
  return { class: 'change', reason }
}

export function deletes(reason: string): Verdict {
  return { class: 'delete', reason }
}

export function unclear(reason: string): Verdict {
  return { class: 'unknown', reason }
}

/** The worst of several; the first of those. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  let found = READS
  for (const verdict of verdicts) if (rankOf(verdict.class) > rankOf(found.class)) found = verdict
  return found
}

/** How bad a class is, from 0. */
export function rankOf(name: CommandClass): number {
  return commandClasses.indexOf(name)
}
