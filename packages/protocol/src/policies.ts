import { z } from 'zod'
import { Danger } from './approvals.ts'

/** Calls in one `POST /api/policy/test` at most. */
export const MAX_TESTED_CALLS = 1000

/** Which policy: that of a machine, or without one that of the fleet. */
export const PolicyQuery = z.object({
  machine_id: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('Id of the machine whose policy it is; absent: that of the fleet'),
})

/** A policy as it is stored; what is in it, `docs/policy.md` says. */
export const PolicyDocument = z.object({
  machine_id: z.string().nullable().describe('Id of the machine that it is for; null: the fleet'),
  policy: z.record(z.string(), z.unknown()).describe('The rules and settings, see `docs/policy.md`'),
  version: z.number().int().min(0).describe('Counts its changes; 0 when there is none yet'),
  updated_at: z.iso.datetime().nullable().describe('When it was last changed; null: never'),
  updated_by: z.string().nullable().describe('Id of the principal that changed it last; null: nobody'),
})
export type PolicyDocument = z.infer<typeof PolicyDocument>

/** Body of `PUT /api/policy`. */
export const PolicyWrite = z.strictObject({
  policy: z.record(z.string(), z.unknown()).describe('The rules and settings, see `docs/policy.md`'),
  version: z.number().int().min(0).describe('Version that it replaces; `conflict` when it is another by now'),
})
export type PolicyWrite = z.infer<typeof PolicyWrite>

/** Body of `POST /api/policy/test`. */
export const PolicyTest = z.strictObject({
  calls: z
    .array(
      z.strictObject({
        command: z
          .union([z.string().max(131_072), z.array(z.string()).min(1).max(4096)])
          .optional()
          .describe('A command as script or argv; absent where it is another method'),
        method: z.string().min(1).max(64).default('exec').describe('Method of a call that is no command'),
        paths: z.array(z.string().max(4096)).max(64).optional().describe('Absolute paths that such a call names'),
      }),
    )
    .min(1)
    .max(MAX_TESTED_CALLS)
    .describe('What is tried; nothing of it runs'),
  who: z.enum(['human', 'ai', 'service', 'schedule']).default('ai').describe('What the caller would be'),
  machine_id: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('Id of the machine where it would run; absent: the policy of the fleet alone'),
  policy: z.record(z.string(), z.unknown()).optional().describe('A policy to try, in place of the stored ones'),
})
export type PolicyTest = z.input<typeof PolicyTest>

export const PolicyTestAnswer = z.object({
  items: z
    .array(
      z.object({
        call: z.string().describe('The call as a person reads it'),
        decision: z.enum(['allow', 'ask', 'deny']).describe('Whether it would run, be asked about, or be refused'),
        rule: z.string().describe('Name of the rule that decides'),
        layer: z.string().describe('Where that rule is: `fleet`, `machine`, `floor`, `mode` or `restriction`'),
        reason: z.string().describe('Why, in a sentence'),
        class: z.enum(['read', 'change', 'delete', 'unknown']).describe('What the call does, as far as can be told'),
        danger: Danger.describe('How bad it can be'),
        danger_reason: z.string().describe('Why it is as dangerous as that, in a sentence'),
        permitted_by: z.string().describe('What would permit a call that is not allowed, in a sentence'),
        deletes: z.boolean().describe('Whether something is deleted, which no grant covers'),
      }),
    )
    .describe('What each call would meet, in their order'),
})
export type PolicyTestAnswer = z.infer<typeof PolicyTestAnswer>
