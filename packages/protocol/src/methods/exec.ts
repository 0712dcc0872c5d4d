import { z } from 'zod'
import { CmdopError } from '../errors.ts'
import { AbsolutePath, EnvironmentChange, systemText } from './paths.ts'
import { EffectSummary } from './effects.ts'
import { Restrictions } from './restrictions.ts'
import { SessionId } from './session-info.ts'
import { SkillUse } from './skills.ts'

/** Lanes of `exec` and `exec.attach`. */
export const execLanes = { stdin: 1, stdout: 1, stderr: 2 } as const

/** Milliseconds a command goes on without its client, unless chosen. */
export const DEFAULT_ORPHAN_MS = 30_000

/** Milliseconds a command may go on without its client at most: nobody sees it, and no revoked key reaches it. */
export const MAX_ORPHAN_MS = 3_600_000

/** Milliseconds between SIGTERM and SIGKILL when a command is ended. */
export const KILL_GRACE_MS = 2000

/** With what the shell strings of an operator's run begin, so that directory and variables carry over. It is not shown. */
export const CARRY_PREFIX = 'eval "$CMDOP_CARRY"; '

/** Variable with the path of the file that {@link CARRY_PREFIX} loads. An approval is bound to its content, wherever it is. */
export const CARRY_FILE = 'CMDOP_CARRY_FILE'

/**
 * Parameters of `exec`. Who opens sends stdin on its lane, says with {@link ExecStdinEnd} where it ends, and ends the channel
 * once it has the result; who runs sends output and ends with that result, an {@link ExecEnd}.
 */
export const ExecParams = z.strictObject({
  /** An argv as it is, or a string for `/bin/sh -c`. */
  command: z.union([systemText.min(1), z.array(systemText).min(1).max(4096)]),
  cwd: AbsolutePath.optional(),
  /** On top of the daemon's environment; null removes. */
  env: EnvironmentChange.optional(),
  /** Whether the opener will send stdin; otherwise it is empty. */
  stdin: z.boolean().default(false),
  orphanMs: z.number().int().min(0).max(MAX_ORPHAN_MS).default(DEFAULT_ORPHAN_MS),
  /**
   * A session of kind `run` in which the command and its output are shown as they happen, and whose restrictions it runs under, in its
   * view where it has one.
   */
  showIn: SessionId.optional(),
  /** Remember for {@link KEPT_RESULT_MS} how it ended, for `exec.result`, also over restarts of the daemon. */
  keepResult: z.boolean().default(false),
  /** What it may not do. Not together with a `showIn` that has restrictions: those are fixed. */
  restrictions: Restrictions.optional(),
  /** From this instant of the relay's clock on it is not started any more: `expired`. */
  notAfter: z.iso.datetime().optional(),
  /** What of an installed skill it is; it takes the right to `skill.run`, too. */
  skill: SkillUse.optional(),
})
export type ExecParams = z.infer<typeof ExecParams>

/** What a call that comes too late is refused with; undefined: it is in time. `now`: milliseconds since 1970 by the relay's clock. */
export function refuseLate(notAfter: unknown, now: number): CmdopError | undefined {
  const instant = typeof notAfter === 'string' ? Date.parse(notAfter) : Number.NaN
  if (Number.isNaN(instant) || now < instant) return undefined
  return new CmdopError('expired', `It was to begin before ${String(notAfter)}, and came too late; nothing ran.`, {
    details: { notAfter },
  })
}

/** Parameters of `exec.attach`: go on with the call whose id the open frame carries. */
export const ExecAttachParams = z.strictObject({
  /** Bytes of output (both streams together) that the client already has. */
  offset: z.number().int().min(0),
})
export type ExecAttachParams = z.infer<typeof ExecAttachParams>

/** Milliseconds for which a machine remembers how a command ended that asked for it. */
export const KEPT_RESULT_MS = 7 * 86_400_000

/** Bytes of each stream that are remembered: half from its start, half from its end. */
export const KEPT_RESULT_BYTES = 64 * 1024

/**
 * Parameters of `exec.result`: how the call ended whose id the open frame carries, if it was started with `keepResult`. Of
 * one that still runs, the machine answers when it is over. What is kept of stdout and stderr comes on their lanes, then
 * an {@link ExecEnd}. `lost`: the daemon ended under it. `not_found` says in its details since when the machine remembers.
 */
export const ExecResultParams = z.strictObject({})

/** Details of the `not_found` of `exec.result`: a call that was started since then has never arrived. */
export const RememberedSince = z.object({
  /** By the relay's clock. */
  rememberedSince: z.iso.datetime(),
})
export type RememberedSince = z.infer<typeof RememberedSince>

/** Details of `not_found` of `exec.attach`: no call is missing that was made in these last milliseconds. */
export const RememberedFor = z.object({ rememberedForMs: z.number().min(0) })
export type RememberedFor = z.infer<typeof RememberedFor>

/** Control from the machine: first on every channel of a call. */
export const ExecStarted = z.object({
  type: z.literal('started'),
  pid: z.number().int(),
  /** Bytes of stdin that have arrived; the client goes on from here. */
  stdinOffset: z.number().int().min(0),
})
export type ExecStarted = z.infer<typeof ExecStarted>

/** Control from the client: end the process group; the end frame follows once it is gone. */
export const ExecCancel = z.object({ type: z.literal('cancel') })
export type ExecCancel = z.infer<typeof ExecCancel>

/** Control from the client: stdin ends after so many bytes. It may arrive before the last of them. */
export const ExecStdinEnd = z.object({ type: z.literal('stdin-end'), bytes: z.number().int().min(0) })
export type ExecStdinEnd = z.infer<typeof ExecStdinEnd>

/** Trailer of the machine's end frame. */
export const ExecEnd = z.object({
  /** `exited` by itself, or ended by us: at its deadline, by a cancel, or because the daemon stops (`lost`). */
  reason: z.enum(['exited', 'deadline', 'cancelled', 'lost']),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  stdoutBytes: z.number().int().min(0),
  stderrBytes: z.number().int().min(0),
  /** From spawn to the end of both streams. */
  durationMs: z.number().min(0),
  /** Of a command that was a transaction of its own: what it changed, and whether that was applied. */
  effect: EffectSummary.optional(),
})
export type ExecEnd = z.infer<typeof ExecEnd>

/** A command as people read it. */
export function commandText(command: ExecParams['command']): string {
  if (typeof command !== 'string') return command.map(quoteWord).join(' ')
  return command.startsWith(CARRY_PREFIX) ? command.slice(CARRY_PREFIX.length) : command
}

function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
