import { z } from 'zod'
import { CallId } from './messages/call-id.ts'
import { ConversationId, MAX_PROMPT_CHARACTERS } from './methods/ask.ts'
import { MAX_ORPHAN_MS } from './methods/exec.ts'
import { Restrictions } from './methods/restrictions.ts'
import { RunPolicy } from './runs.ts'

/** Body of `POST /api/machines/{id}/ask`, answered by server-sent events. */
export const AskRequest = z.strictObject({
  prompt: z.string().min(1).max(MAX_PROMPT_CHARACTERS),
  /** A conversation to go on with. Default: a new one. */
  session_id: ConversationId.optional(),
  agent_type: z.enum(['terminal', 'chat', 'command', 'planner']).optional(),
  timeout_seconds: z.number().int().min(1).max(86_400).optional(),
  options: z
    .strictObject({
      confirm: z.enum(['suspicious', 'changes']).optional(),
      /** What nothing in the ask may do; the kernel of the machine holds it. */
      restrictions: Restrictions.optional(),
      /** Rules that ask or deny, by which the relay judges its calls too. */
      policy: RunPolicy.optional(),
    })
    .optional(),
  /** Forwarded once to the machine, which verifies it; never stored. */
  pin: z.string().min(1).max(128).optional(),
  /** Id of the ask, made by the client: the same one is never asked twice. Default: one of the relay's. */
  call_id: CallId.optional(),
  output_schema: z.record(z.string(), z.unknown()).optional(),
  orphan_ms: z.number().int().min(0).max(MAX_ORPHAN_MS).optional(),
})
export type AskRequest = z.infer<typeof AskRequest>

/** Body of `POST /api/machines/{id}/confirm`. */
export const AskConfirm = z.strictObject({
  token: z.string().max(64),
  accept: z.boolean(),
})

/** Body of `POST /api/machines/{id}/pin`. */
export const AskPin = z.strictObject({ challenge_id: z.string().max(64), pin: z.string().min(1).max(128) })

/** What was said in a conversation with a machine, the oldest first. */
export const MessagesResponse = z.object({
  agent_session_id: z.string().nullable(),
  messages: z.array(
    z.object({
      role: z.enum(['user', 'assistant']),
      text: z.string(),
      created_at: z.iso.datetime(),
      /** Id of the ask. */
      request_id: z.string(),
      /** Of the assistant only, as what follows. */
      success: z.boolean().optional(),
      error: z.string().optional(),
      duration_ms: z.number().optional(),
    }),
  ),
})
export type MessagesResponse = z.infer<typeof MessagesResponse>

export const ClearMessagesResponse = z.object({
  agent_session_id: z.string().nullable(),
  deleted: z.number().int(),
})
export type ClearMessagesResponse = z.infer<typeof ClearMessagesResponse>

/** The conversation that was asked last; empty when there is none. */
export const ActiveSession = z.object({ session_id: z.string() })

/** Hours back: `7d`, `24h`; at most 90 days. */
export const SpendWindow = z.string().regex(/^([1-9]\d{0,3})([hd])$/)
export const SpendQuery = z.object({ window: SpendWindow.default('7d') })

/** What asks of a machine cost. Dollars are those of models whose price is known. */
export const MachineSpend = z.object({
  window: z.string(),
  total_usd: z.number(),
  /** Against the window of the same length before this one. */
  delta_usd: z.number(),
  /** null: nothing was spent before. */
  delta_pct: z.number().nullable(),
  tokens_in: z.number(),
  tokens_out: z.number(),
  /** Calls of a model. */
  calls: z.number().int(),
  /** Pages that were read from pictures: an operator reads none, so 0. */
  ocr_pages: z.number().int(),
  top_models: z.array(z.object({ model: z.string(), usd: z.number(), pct: z.number() })),
})
export type MachineSpend = z.infer<typeof MachineSpend>

/** Hours of a window such as `7d`. */
export function hoursOf(window: string): number {
  return Number.parseInt(window) * (window.endsWith('d') ? 24 : 1)
}
