import { z } from 'zod'
import { Restrictions } from './restrictions.ts'
import { Participant, SessionId } from './session-info.ts'
import { Sha256 } from './sha256.ts'

/** A path as text, and its bytes where they are not UTF-8. */
const EffectPath = z.object({
  path: z.string().describe('The path as text'),
  pathBase64: z.string().optional().describe('Its bytes in base64, where they are not UTF-8'),
})

/** What a file was or is. */
export const FileState = z.object({
  type: z.enum(['file', 'directory', 'symlink', 'fifo', 'socket', 'device']).describe('What kind of file it is'),
  size: z.number().int().describe('Bytes of its content'),
  mode: z.number().int().describe('Permission bits, as a number'),
  uid: z.number().int().describe('Numeric id of the owner'),
  gid: z.number().int().describe('Numeric id of the group'),
  mtimeMs: z.number().int().optional().describe('Last change of the content, milliseconds since 1970'),
  xattrs: z
    .array(z.string())
    .optional()
    .describe('Names of extended attributes, access lists and capabilities among them'),
  target: z.string().optional().describe('Where a symbolic link leads'),
})
export type FileState = z.infer<typeof FileState>

/** One change. `before` is absent of what was added, `after` of what was deleted. */
export const Effect = EffectPath.extend({
  kind: z.enum(['added', 'deleted', 'modified', 'replaced', 'metadata', 'moved']).describe('What happens to it'),
  before: FileState.optional().describe('What it was; absent of what was added'),
  after: FileState.optional().describe('What it is then; absent of what was deleted'),
  from: z.string().optional().describe('Of `moved`: the path where it was'),
  fromBase64: z.string().optional().describe('The bytes of `from` in base64, where they are not UTF-8'),
  collapsed: z
    .number()
    .int()
    .optional()
    .describe('Entries that this one stands for: a directory with all that was in it'),
  emptied: z.boolean().optional().describe('Whether a file that had content has none'),
  deferred: z
    .string()
    .optional()
    .describe('It changes what runs later, by this rule: `cron`, `ssh`, `shell-startup` and others'),
  sha256: Sha256.optional().describe('SHA-256 of the content, of a file whose content is another than before'),
  diff: z.string().optional().describe('Unified diff of text, up to a limit'),
})
export type Effect = z.infer<typeof Effect>

/** What a transaction changed in its view of the machine. */
export const EffectList = z.object({
  effectId: z.string().describe('Id of the session or of the command that it is of'),
  hash: Sha256.describe(
    'SHA-256 over everything that would be applied, contents included; what is approved and applied',
  ),
  effects: z.array(Effect).describe('The changes, by path'),
  counts: z.record(z.string(), z.number().int()).describe('Changes by kind, also those that are not listed one by one'),
  truncated: z.boolean().describe('Whether the list was cut; the hash is over all'),
  unpreviewable: z
    .array(
      z.object({
        path: z.string().describe('The path as text'),
        why: z.string().describe('Why it could not be previewed'),
      }),
    )
    .describe('What could not be previewed: mounts that stayed read-only, devices'),
  sideEffects: z
    .object({
      network: z.enum(['none', 'host']).describe('`none`: it had no network but a loopback of its own'),
      networkAttempts: z.number().int().describe('How often it tried to reach the network'),
      backgroundKilled: z.number().int().describe('Processes in the background that were ended'),
    })
    .describe('Why a preview is not exact: attempts on the network, processes in the background that were ended'),
  violations: z
    .array(EffectPath.extend({ rule: z.string().describe('The restriction that forbids it') }))
    .describe('What `noDelete` or `noOverwrite` forbids, by path'),
})
export type EffectList = z.infer<typeof EffectList>

/**
 * `open`: what made it still runs, and may change it. `pending`: it waits to be applied or discarded. `undone`: it was applied, and
 * taken back.
 */
export const EffectState = z.enum(['open', 'pending', 'applied', 'discarded', 'undone'])
export type EffectState = z.infer<typeof EffectState>

/**
 * Why the effect of a command was not applied by itself: it breaks the restrictions, the disk was changed meanwhile, or the command
 * was ended before its end (`cancelled`).
 */
export const EffectRefusal = z.object({
  code: z.enum(['restriction_violated', 'effect_conflict', 'cancelled', 'permission', 'no_space', 'server']),
  message: z.string(),
  /** The first ones, about 4 KiB at most. */
  paths: z.array(z.string()),
  /** How many there are in all. */
  pathCount: z.number().int(),
})
export type EffectRefusal = z.infer<typeof EffectRefusal>

/** An effect in short. */
export const EffectSummary = z.object({
  /** Id of the session or of the command that it is of. */
  effectId: SessionId,
  state: EffectState,
  hash: Sha256,
  counts: z.record(z.string(), z.number().int()),
  refusal: EffectRefusal.optional(),
})
export type EffectSummary = z.infer<typeof EffectSummary>

/** An effect as its machine knows it. */
export const EffectInfo = EffectSummary.extend({
  /** Null while it is open: it is computed when it is looked at. */
  hash: Sha256.nullable(),
  kind: z.enum(['session', 'exec', 'file']),
  /** The session's name, or the command. */
  title: z.string(),
  restrictions: Restrictions,
  createdBy: Participant.omit({ participantId: true }),
  createdAt: z.iso.datetime(),
  /** When it got its state. */
  changedAt: z.iso.datetime(),
})
export type EffectInfo = z.infer<typeof EffectInfo>

/** Parameters of `effect.list`: the effects that the machine keeps, the newest first. The answer is an {@link EffectPage}. */
export const EffectListParams = z.strictObject({ limit: z.number().int().min(1).max(200).default(100) })
export const EffectPage = z.object({ items: z.array(EffectInfo) })
export type EffectPage = z.infer<typeof EffectPage>

/** Parameters of `effect.get`. The answer is an {@link EffectDetails}; of an effect that is open, as it is now. */
export const EffectGetParams = z.strictObject({ effectId: SessionId })
export const EffectDetails = z.object({
  info: EffectInfo,
  /** Null once it is applied, discarded or undone and not kept any more. */
  list: EffectList.nullable(),
})
export type EffectDetails = z.infer<typeof EffectDetails>

/**
 * Parameters of `effect.apply`: exactly the effect with this hash, or nothing (`effect_conflict`). What runs in an open session is
 * ended first: a view that still changes is not applied. The answer is an {@link EffectInfo}.
 */
export const EffectApplyParams = z.strictObject({ effectId: SessionId, hash: Sha256 })

/** Parameters of `effect.discard` and `effect.undo`. The answer is an {@link EffectInfo}. */
export const EffectChangeParams = z.strictObject({ effectId: SessionId })

/** Whether a machine can hold one restriction. */
export const RestrictionCapability = z.object({
  ok: z.boolean(),
  /** By namespaces and an overlay, or by Landlock and seccomp alone. */
  tier: z.enum(['namespaces', 'landlock']).optional(),
  /** What stays within reach, or does not work, in sentences. */
  limits: z.array(z.string()),
  /** Where it is not: what is missing, the step that failed, its errno and what helps. */
  missing: z.string().optional(),
  step: z.string().optional(),
  errno: z.string().optional(),
  fix: z.string().optional(),
})
export type RestrictionCapability = z.infer<typeof RestrictionCapability>

/** The answer of `capabilities`: what a machine can hold, found out by doing it. */
export const MachineCapabilities = z.object({
  system: z.string(),
  restrictions: z.record(z.string(), RestrictionCapability),
  /** Version of Landlock; 0 = none. */
  landlock: z.number().int(),
  /** Settings of the system that matter. */
  hints: z.array(z.string()),
})
export type MachineCapabilities = z.infer<typeof MachineCapabilities>

/** Parameters of `capabilities`: none. The answer is a {@link MachineCapabilities}. */
export const CapabilitiesParams = z.strictObject({})
