import type { CommandClass, Verdict } from '../classify/command-class.ts'
import type { SimpleCommand } from '../parse/simple-command.ts'
import type { Named } from './named.ts'
import type { PrincipalKind } from './rule.ts'

/** One thing that rules are about: a simple command of a call, or a call that is no command. */
export interface Subject {
  readonly tool: string
  readonly principalKind: PrincipalKind
  readonly class: CommandClass
  readonly command: CommandSubject | undefined
  /** Looked for when a rule asks. */
  readonly paths: Named
  readonly hosts: Named
}

/** A simple command with what rules ask about it. */
export interface CommandSubject {
  readonly parsed: SimpleCommand
  /** By the name that the tables know; undefined: not known. */
  readonly name: string | undefined
  /** Without any directory. */
  readonly baseName: string | undefined
  /** Of its variables and redirections alone. */
  readonly around: Verdict
}
