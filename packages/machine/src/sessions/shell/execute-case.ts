import type { ExecutionEnd } from './turn.ts'

/** Shells that the table is run in; `dash` is `/bin/sh` of Debian. */
export type ShellName = 'bash' | 'zsh' | 'dash' | 'fish'

/** A command, and what it must give as it would in a real terminal. What is not given is not looked at. */
export interface Step {
  /** In it, `NONCE` is the session's. */
  readonly run: string
  /** With `\n` for what ends a line on a terminal. */
  readonly output?: string | RegExp
  /** Output that is no text, as latin1. */
  readonly bytes?: string
  /** 0 unless given; null is one that the shell does not say. */
  readonly exitCode?: number | null
  readonly reason?: ExecutionEnd['reason']
  /** Directory afterwards, relative to the one the shell began in, as latin1. */
  readonly cwd?: string
  readonly timeoutMs?: number
}

/** Steps of one session. */
export interface ExecuteCase {
  readonly title: string
  readonly steps: readonly Step[]
  /** Shells whose answer is another one, or whose language says it otherwise. */
  readonly fish?: readonly Step[]
  readonly zsh?: readonly Step[]
  readonly dash?: readonly Step[]
}

/** The shell goes on. */
export const usable: Step = { run: 'echo usable', output: 'usable\n' }

/** The steps of a case in a shell. */
export function stepsOf(each: ExecuteCase, shell: ShellName): readonly Step[] {
  return (shell === 'bash' ? undefined : each[shell]) ?? each.steps
}
