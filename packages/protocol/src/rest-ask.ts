import { z } from 'zod'
import { CallId } from './messages/call-id.ts'
import { ConversationId, MAX_PROMPT_CHARACTERS } from './methods/ask.ts'
import { MAX_ORPHAN_MS } from './methods/exec.ts'
import { Restrictions } from './methods/restrictions.ts'
import { RunPolicy } from './runs.ts'

/** Body of `POST /api/machines/{id}/ask`, answered by server-sent events. */
export const AskRequest = z.strictObject({
  prompt: z.string().min(1).max(MAX_PROMPT_CHARACTERS).describe('What the operator is asked'),
  session_id: ConversationId.optional().describe('Id of a conversation to go on with. Default: a new one.'),
  agent_type: z
    .enum(['terminal', 'chat', 'command', 'planner'])
    .optional()
    .describe('Type of operator that works on it. Default: `terminal`.'),
  timeout_seconds: z.number().int().min(1).max(86_400).optional().describe('Seconds after which the ask is ended'),
  options: z
    .strictObject({
      confirm: z
        .enum(['suspicious', 'changes'])
        .optional()
        .describe('Which steps wait for a yes: those that look suspicious, or every change. Default: `suspicious`.'),
      restrictions: Restrictions.optional().describe(
        'What nothing in the ask may do; the kernel of the machine holds it',
      ),
      policy: RunPolicy.optional().describe('Rules that ask or deny, by which the relay judges its calls too'),
    })
    .optional()
    .describe('What holds for this ask only'),
  pin: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('PIN of the machine, forwarded to it once and verified there; never stored'),
  call_id: CallId.optional().describe(
    "Id of the ask, made by the client: the same one is never asked twice. Default: one of the relay's.",
  ),
  output_schema: z.record(z.string(), z.unknown()).optional().describe('JSON Schema that the answer has to fit'),
  orphan_ms: z
    .number()
    .int()
    .min(0)
    .max(MAX_ORPHAN_MS)
    .optional()
    .describe('Milliseconds for which the machine goes on without anybody who listens'),
})
export type AskRequest = z.infer<typeof AskRequest>

/** Body of `POST /api/machines/{id}/confirm`. */
export const AskConfirm = z.strictObject({
  token: z.string().max(64).describe('The token of the question, from its event'),
  accept: z.boolean().describe('Whether the step may be done'),
})

/** Body of `POST /api/machines/{id}/pin`. */
export const AskPin = z.strictObject({
  challenge_id: z.string().max(64).describe('Id of the challenge, from its event'),
  pin: z.string().min(1).max(128).describe('PIN of the machine; never stored'),
})

/** What was said in a conversation with a machine, the oldest first. */
export const MessagesResponse = z.object({
  agent_session_id: z.string().nullable().describe('Id of the conversation; null: there is none'),
  messages: z
    .array(
      z.object({
        role: z.enum(['user', 'assistant']).describe('Who said it: you, or the operator'),
        text: z.string().describe('What was said, in full'),
        created_at: z.iso.datetime().describe('When it was said'),
        request_id: z.string().describe('Id of the ask that it is of'),
        success: z.boolean().optional().describe('Of the assistant: whether the ask succeeded'),
        error: z.string().optional().describe('Of the assistant: why the ask failed'),
        duration_ms: z.number().optional().describe('Of the assistant: milliseconds that the ask took'),
      }),
    )
    .describe('What was said, the oldest first'),
})
export type MessagesResponse = z.infer<typeof MessagesResponse>

export const ClearMessagesResponse = z.object({
  agent_session_id: z.string().nullable().describe('Id of the conversation that was cleared; null: there was none'),
  deleted: z.number().int().describe('How many messages were deleted'),
})
export type ClearMessagesResponse = z.infer<typeof ClearMessagesResponse>

/** The conversation that was asked last; empty when there is none. */
export const ActiveSession = z.object({
  session_id: z.string().describe('Id of the conversation that was asked last; empty when there is none'),
})

/** Hours back: `7d`, `24h`; at most 90 days. */
export const SpendWindow = z.string().regex(/^([1-9]\d{0,3})([hd])$/, 'Expected hours or days such as 24h or 7d.')
export const SpendQuery = z.object({
  window: SpendWindow.default('7d').describe('How far back: `7d`, `24h`; at most 90 days'),
})

/** What asks of a machine cost. Dollars are those of models whose price is known. */
export const MachineSpend = z.object({
  window: z.string().describe('How far back it was counted, as asked'),
  total_usd: z.number().describe('US dollars that it cost, of models whose price is known'),
  delta_usd: z.number().describe('US dollars more or less than in the window of the same length before'),
  delta_pct: z.number().nullable().describe('The same in percent of the window before; null: nothing was spent then'),
  tokens_in: z.number().describe('Tokens that models read'),
  tokens_out: z.number().describe('Tokens that models wrote'),
  calls: z.number().int().describe('How often a model was called'),
  ocr_pages: z.number().int().describe('Pages that were read from pictures: an operator reads none, so 0'),
  top_models: z
    .array(
      z.object({
        model: z.string().describe('Name of the model'),
        usd: z.number().describe('US dollars that it cost'),
        pct: z.number().describe('Its share of the total, 0 to 100'),
      }),
    )
    .describe('Models that cost most, the most expensive first'),
})
export type MachineSpend = z.infer<typeof MachineSpend>

/** Hours of a window such as `7d`. */
export function hoursOf(window: string): number {
  return Number.parseInt(window) * (window.endsWith('d') ? 24 : 1)
}
