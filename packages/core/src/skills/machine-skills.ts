import type { InstalledSkill, InstalledSkillDetails, InstalledSkillList, SkillFile, SkillPlaced } from '@cmdop/protocol'
import type { z } from 'zod'
import type { Cancellable } from '../cancellable.ts'
import type { ExecExit, ExecOptions, Machine } from '../machine.ts'

/** The skills of a machine. Each looks at every file first: one that is not as it was installed is `integrity`, and nothing of the skill is used. */
export interface MachineSkills {
  /** What is installed, by name, those whose files were changed too: their `state` says it. */
  list(options?: Cancellable): Promise<InstalledSkill[]>
  /** Each of them. */
  iter(options?: Cancellable): AsyncGenerator<InstalledSkill>
  /** Every page: all are on one. */
  pages(options?: Cancellable): AsyncGenerator<InstalledSkillList>
  /** One of them, with what it says and its tools. Throws `not_found`, `integrity`. */
  get(name: string, options?: Cancellable): Promise<InstalledSkillDetails>
  /** Puts one in place, in place of the version before. The machine computes the digest itself: another is `integrity`. */
  install(skill: SkillContent, options?: Cancellable): Promise<SkillPlaced>
  /** Takes one away. False when it was not there. */
  uninstall(name: string, options?: Cancellable): Promise<boolean>
  /**
   * Runs a tool of an installed skill, as a command of `exec`. Its output is what its skill says of it, and fits `outputSchema`. Throws
   * `skill_failed`; `validation` for an input that does not fit, `command_not_found` and `config` for what the skill requires and is
   * missing, by name; and what `exec` throws.
   */
  run<Schema extends z.ZodType = z.ZodType<Record<string, unknown>>>(
    name: string,
    tool: string,
    input: Readonly<Record<string, unknown>>,
    options?: SkillRunOptions<Schema>,
  ): Promise<SkillRun<z.output<Schema>>>
  /** Asks the skill itself whether it works there: its `run_check`. Null where it has none. Never throws for what the check says. */
  check(name: string, options?: SkillCheckOptions): Promise<SkillCheck | null>
  /** The same skills, whose tools run as this does: in the view of a session, for one. */
  within(exec: Machine['exec']): MachineSkills
}

/** A version of a skill with its files. */
export interface SkillContent {
  readonly name: string
  readonly version: string
  /** SHA-256 over its files, hex. */
  readonly sha256: string
  readonly files: readonly SkillFile[]
  /** The address of the registry, for people. */
  readonly from: string
}

/** How a tool of a skill runs: as a command does. */
export interface SkillRunOptions<Schema extends z.ZodType = z.ZodType> extends Pick<
  ExecOptions,
  'env' | 'deadlineMs' | 'orphanMs' | 'callId' | 'restrictions' | 'notAfter' | 'approval' | 'operator' | 'signal'
> {
  /** What the output has to be, beside what the skill says of it. */
  readonly outputSchema?: Schema
}

/** How the `run_check` of a skill runs. */
export interface SkillCheckOptions extends SkillRunOptions {
  /** Is told the line that `/bin/sh` is given, before it is. */
  readonly onCheck?: ((command: string) => void) | undefined
}

/** What a tool of a skill gave. */
export interface SkillRun<Output = Record<string, unknown>> extends ExecExit {
  readonly output: Output
  /** What it said beside its output: its first and last bytes. */
  readonly stderr: string
}

/** What a skill says of itself on a machine. */
export interface SkillCheck {
  /** It ended with 0. */
  readonly ok: boolean
  /** Null where it did not run to its end; `error` says why. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  /** Code and message of what kept it from running. */
  readonly error: { readonly code: string; readonly message: string } | null
}
