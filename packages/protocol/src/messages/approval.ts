import { z } from 'zod'
import { Sha256 } from '../methods/sha256.ts'
import { PlainRestrictions } from '../methods/restrictions.ts'
import { canonicalJson } from './canonical-json.ts'

/** Words of an action that may name a file, at most. */
export const MAX_ACTION_WORDS = 256

/** A file that an action names, as it was when the action was described. */
export const BoundFile = z.strictObject({
  path: z.string().max(4096).describe('Path of the file on the machine'),
  identity: z
    .string()
    .max(128)
    .describe('SHA-256 of its content, hex; of one larger than 64 MiB, `device:inode:size:ctime` in nanoseconds'),
})
export type BoundFile = z.infer<typeof BoundFile>

/** Bytes of a file whose content is hashed; a larger one is bound by what the file system says of it. */
export const MAX_HASHED_FILE_BYTES = 64 * 1024 * 1024

/**
 * What runs on one machine, whole: what an approval is bound to. The machine makes it, once for the question and again before it
 * acts, and only equal digests run.
 */
export const ApprovableAction = z.strictObject({
  version: z.literal(1),
  machineId: z.string().min(1).max(64),
  /** One of the methods, or `tool`: an operator's own function, which no machine sees. */
  method: z.string().min(1).max(64),
  /** Of `exec` the argv or script; of any other method null. */
  command: z.union([z.string(), z.array(z.string())]).nullable(),
  /** Of any other method its parameters. */
  params: z.record(z.string(), z.unknown()).nullable(),
  /** Directory of a command. */
  cwd: z.string().nullable(),
  /** Names in order, each with the SHA-256 of {@link environmentText}; null removes it. */
  environment: z.array(z.strictObject({ name: z.string(), sha256: Sha256.nullable() })),
  /** Words of the command that may name files, as the relay found them. */
  words: z.array(z.string()).max(MAX_ACTION_WORDS),
  /** Those that do. */
  files: z.array(BoundFile),
  /** What the kernel holds meanwhile, of the command and of its session together. */
  restrictions: PlainRestrictions,
  /** Of `effect.apply`. */
  effectHash: Sha256.nullable(),
})
export type ApprovableAction = z.infer<typeof ApprovableAction>

/** The text whose SHA-256 is the `actionDigest` (UTF-8). */
export function approvableText(action: ApprovableAction): string {
  return `cmdop-action-v1\n${canonicalJson(action)}`
}

/** The text whose SHA-256 is the `planDigest`: the action digests in order (UTF-8). */
export function planText(actionDigests: readonly string[]): string {
  return `cmdop-plan-v1\n${canonicalJson(actionDigests.toSorted())}`
}

/** The text whose SHA-256 stands for a variable's value. */
export function environmentText(variable: { machineId: string; name: string; value: string }): string {
  return `cmdop-env-v1\n${variable.machineId}\n${variable.name}\n${variable.value}`
}

/** Who has to approve: so many people of a group, each person once. All requirements together. */
export const Requirement = z
  .array(
    z.strictObject({
      from: z
        .string()
        .regex(/^[a-z][a-z0-9_-]{0,31}$/)
        .describe('A role (`owner`, `admin`, `member`: that or a mightier one) or a label of members'),
      n: z.number().int().min(1).max(20).describe('How many people, each counted once'),
    }),
  )
  .min(1)
  .max(8)
export type Requirement = z.infer<typeof Requirement>

/** What the relay signs once an approval is given: that this machine may do this once. */
export const Approval = z.strictObject({
  version: z.literal(1),
  approvalId: z.string().min(1).max(64),
  /** A machine takes each once; of a grant every use has its own. */
  useId: z.string().min(1).max(64),
  relayId: z.string().min(1).max(64),
  fleetId: z.string().min(1).max(64),
  machineId: z.string().min(1).max(64),
  actionDigest: Sha256,
  planDigest: Sha256,
  words: z.array(z.string()).max(MAX_ACTION_WORDS),
  /** Who asked for it; only this principal's call may use it. */
  requesterId: z.string().min(1).max(64),
  /** `human`, `ai`, ...: what a person was given, an operator that acts for the person was not. */
  requesterKind: z.string().min(1).max(32),
  requirement: Requirement,
  /** The people who approved. */
  approvedBy: z.array(z.string().max(64)),
  /** Milliseconds since 1970 by the relay's clock. */
  expiresAt: z.number().int(),
})
export type Approval = z.infer<typeof Approval>

/** An approval as it travels: the exact text that was signed, and the relay's Ed25519 signature of {@link approvalText}. */
export const SignedApproval = z.strictObject({
  body: z.string().max(65_536),
  /** base64url. */
  signature: z.string().max(128),
})
export type SignedApproval = z.infer<typeof SignedApproval>

/** The text that the relay signs (UTF-8). */
export function approvalText(body: string): string {
  return `cmdop-approval-v1\n${body}`
}
