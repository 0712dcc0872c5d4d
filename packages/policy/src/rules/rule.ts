import { z } from 'zod'
import { commandClasses } from '../classify/command-class.ts'

/** Who acts, as the relay knows it. */
export const principalKinds = ['human', 'ai', 'service', 'schedule', 'machine', 'system'] as const
export const PrincipalKind = z.enum(principalKinds)
export type PrincipalKind = z.infer<typeof PrincipalKind>

/** What becomes of a call: it runs, a person is asked, or it is refused. */
export const PolicyDecision = z.enum(['allow', 'ask', 'deny'])
export type PolicyDecision = z.infer<typeof PolicyDecision>

/** Rules that a policy can have. */
export const MAX_RULES = 2000

const pattern = z.string().min(1).max(256)
const patterns = z.array(pattern).min(1).max(64)

/**
 * A pattern over a command's words, one for each. In a word `*` stands for any characters, and `\` makes the next one plain. `...` as a word
 * stands for any number of words that are known before the command runs, `<any>` for one word and `<any>...` for any number, known or
 * not. An `allow` rule without `args` means `...`, other rules `<any>...`.
 */
export const CommandPattern = z.strictObject({
  /** The program, without its directory. A program elsewhere than in the directories of the system is allowed by its whole path only. */
  name: z.union([pattern, patterns]),
  args: z.array(pattern).max(64).optional(),
  /** At least one of these is among the words; `-r` is found in `-rf`, too. */
  has: patterns.optional(),
})
export type CommandPattern = z.infer<typeof CommandPattern>

/**
 * When to allow, ask or deny. All that is given must fit. For a command, `ask` and `deny` fit when one of its simple commands does; `allow`
 * only when every one of them is allowed by some rule, or reads.
 *
 * `match` and `notMatch` are run when the rule is loaded: a command line, or the name of a method with a dot and its paths, as in
 * `file.delete /srv/app/old`. A rule that its examples contradict is refused.
 */
export const PolicyRule = z.strictObject({
  /** Unique in its layer. */
  id: z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/),
  decision: PolicyDecision,
  /** Shown to whoever is asked or refused. */
  reason: z.string().min(1).max(512).optional(),
  who: z.array(PrincipalKind).min(1).max(principalKinds.length).optional(),
  /** Names of methods, or patterns such as `file.*`. `exec` is also a command within a session. */
  tool: z.union([pattern, patterns]).optional(),
  command: CommandPattern.optional(),
  class: z.array(z.enum(commandClasses)).min(1).max(commandClasses.length).optional(),
  /**
   * Patterns of absolute paths: `*` within one part, `**` for any number. `allow` needs every path inside; for the others one is enough, and who
   * deletes what a path lies in has it, too. Links are not followed.
   */
  paths: z.array(pattern.startsWith('/')).min(1).max(64).optional(),
  /** Patterns of host names: `allow` needs every host to fit, and there to be one; for the others one is enough. */
  hosts: patterns.optional(),
  match: z.array(z.string().min(1).max(4096)).min(1).max(50),
  notMatch: z.array(z.string().min(1).max(4096)).min(1).max(50),
})
export type PolicyRule = z.infer<typeof PolicyRule>

/** What happens to what no rule is about: `default` lets read and asks about the rest, `strict` denies, `bypass` lets. */
export const policyModes = ['bypass', 'default', 'strict'] as const
export const PolicyMode = z.enum(policyModes)
export type PolicyMode = z.infer<typeof PolicyMode>

/** The rules of a fleet, a machine or a run, as they are stored. Without a mode it is that of the other layers, or `default`. */
export const Policy = z.strictObject({
  mode: z.union([PolicyMode, z.partialRecord(PrincipalKind, PolicyMode)]).optional(),
  rules: z
    .array(PolicyRule)
    .max(MAX_RULES)
    .default([])
    .refine((rules) => new Set(rules.map(({ id }) => id)).size === rules.length, 'must not have an id twice'),
})
export type Policy = z.infer<typeof Policy>
/** A {@link Policy} as it may be written. */
export type PolicyInput = z.input<typeof Policy>
