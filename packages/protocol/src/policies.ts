import { z } from 'zod'
import { Danger } from './approvals.ts'

/** Calls in one `POST /api/policy/test` at most. */
export const MAX_TESTED_CALLS = 1000

/** Which policy: that of a machine, or without one that of the fleet. */
export const PolicyQuery = z.object({ machine_id: z.string().min(1).max(64).optional() })

/** A policy as it is stored; what is in it, `docs/policy.md` says. */
export const PolicyDocument = z.object({
  /** Null: of the fleet. */
  machine_id: z.string().nullable(),
  policy: z.record(z.string(), z.unknown()),
  /** Counts its changes; 0 when there is none yet. */
  version: z.number().int().min(0),
  updated_at: z.iso.datetime().nullable(),
  /** Id of the principal. */
  updated_by: z.string().nullable(),
})
export type PolicyDocument = z.infer<typeof PolicyDocument>

/** Body of `PUT /api/policy`. */
export const PolicyWrite = z.strictObject({
  policy: z.record(z.string(), z.unknown()),
  /** Of the one that it replaces; `conflict` when it is another by now. */
  version: z.number().int().min(0),
})
export type PolicyWrite = z.infer<typeof PolicyWrite>

/** Body of `POST /api/policy/test`. */
export const PolicyTest = z.strictObject({
  calls: z
    .array(
      z.strictObject({
        command: z.union([z.string().max(131_072), z.array(z.string()).min(1).max(4096)]).optional(),
        /** Of a call that is no command. */
        method: z.string().min(1).max(64).default('exec'),
        paths: z.array(z.string().max(4096)).max(64).optional(),
      }),
    )
    .min(1)
    .max(MAX_TESTED_CALLS),
  who: z.enum(['human', 'ai', 'service', 'schedule']).default('ai'),
  machine_id: z.string().min(1).max(64).optional(),
  /** One to try, in place of the stored ones. */
  policy: z.record(z.string(), z.unknown()).optional(),
})
export type PolicyTest = z.input<typeof PolicyTest>

export const PolicyTestAnswer = z.object({
  items: z.array(
    z.object({
      call: z.string(),
      decision: z.enum(['allow', 'ask', 'deny']),
      rule: z.string(),
      /** `fleet`, `machine`, `floor`, `mode` or `restriction`. */
      layer: z.string(),
      reason: z.string(),
      class: z.enum(['read', 'change', 'delete', 'unknown']),
      danger: Danger,
      danger_reason: z.string(),
      permitted_by: z.string(),
      /** Whether something is deleted, which no grant covers. */
      deletes: z.boolean(),
    }),
  ),
})
export type PolicyTestAnswer = z.infer<typeof PolicyTestAnswer>
