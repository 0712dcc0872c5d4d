import { z } from 'zod'
import { ApprovalInfo } from '../approvals.ts'
import { WireError } from '../errors.ts'
import { CallId } from '../messages/call-id.ts'
import { SignedApproval } from '../messages/approval.ts'
import { Operator } from '../messages/open.ts'
import { SignedPermit } from '../messages/permit.ts'
import { RunAppend, RunCreate, RunId, RunPolicy } from '../runs.ts'
import { EffectSummary } from './effects.ts'
import { DEFAULT_ORPHAN_MS, MAX_ORPHAN_MS } from './exec.ts'
import { PlainRestrictions, Restrictions } from './restrictions.ts'

/**
 * Lanes of `ask` and `ask.attach`, each with one JSON text a line. The machine sends {@link AskLine}s on `frames` and
 * {@link PermitRequest}s on `permits`, where the relay answers with {@link PermitAnswer}s, and {@link JournalRequest}s on `journal`,
 * answered with {@link JournalAnswer}s. The relay sends a PIN on `pin`.
 */
export const askLanes = { frames: 1, permits: 2, pin: 3, journal: 4 } as const

/** Characters of a prompt at most. */
export const MAX_PROMPT_CHARACTERS = 65_536

/** Milliseconds after its end in which an ask can still be attached to. */
export const ASK_KEPT_MS = 60_000

/** Milliseconds a person has to confirm, and to give the PIN. */
export const CONFIRM_WITHIN_MS = 300_000
export const PIN_WITHIN_MS = 120_000

/** Id of a conversation with a machine. */
export const ConversationId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)

/** Parameters of `ask`: a task for the AI operator that lives on the machine. Its call id is the id of the ask. */
export const AskParams = z.strictObject({
  prompt: z.string().min(1).max(MAX_PROMPT_CHARACTERS),
  /** The conversation that it goes on with, or begins. */
  conversationId: ConversationId,
  agentType: z.enum(['terminal', 'chat', 'command', 'planner']).default('terminal'),
  /** Seconds the whole task may take. */
  timeoutSeconds: z.number().int().min(1).max(86_400).optional(),
  /** JSON Schema of the answer; without it the answer is text. */
  outputSchema: z.record(z.string(), z.unknown()).optional(),
  /** `changes`: whatever is not declared to change nothing waits for a person. `suspicious`: only after suspicious data. */
  confirm: z.enum(['suspicious', 'changes']).default('suspicious'),
  /** What nothing in it may do; the kernel of the machine holds it. */
  restrictions: Restrictions.optional(),
  /** By which the relay judges its calls, beside the policies of fleet and machine. */
  policy: RunPolicy.optional(),
  /** Whether the relay sends a PIN on its lane once the machine has accepted. */
  pin: z.boolean().default(false),
  /** Milliseconds that it goes on without anybody who listens. It asks for no permit meanwhile. */
  orphanMs: z.number().int().min(0).max(MAX_ORPHAN_MS).default(DEFAULT_ORPHAN_MS),
})
export type AskParams = z.infer<typeof AskParams>

/** Parameters of `ask.attach`: go on with the ask whose id the open frame carries, after its frame of this number. */
export const AskAttachParams = z.strictObject({ after: z.number().int().min(0) })
export type AskAttachParams = z.infer<typeof AskAttachParams>

/** Parameters of `ask.cancel`: stop the ask whose id the open frame carries. Answered once nothing of it is left. */
export const AskCancelParams = z.strictObject({})

/** Parameters of `ask.confirm`. */
export const AskConfirmParams = z.strictObject({ token: z.string().max(64), accept: z.boolean() })
export type AskConfirmParams = z.infer<typeof AskConfirmParams>

/** Parameters of `ask.pin`. The PIN itself is content on its lane, so that no digest of it is in the audit log. */
export const AskPinParams = z.strictObject({ challengeId: z.string().max(64) })
export type AskPinParams = z.infer<typeof AskPinParams>

/** Parameters of `ask.messages`: what was said in the caller's active conversation, the newest last. */
export const AskMessagesParams = z.strictObject({ limit: z.number().int().min(1).max(200) })

/** Parameters of `ask.clear`: forget the caller's active conversation. */
export const AskClearParams = z.strictObject({})

/** Parameters of `ask.session`: which conversation of the caller is the active one. */
export const AskSessionParams = z.strictObject({})

/** Parameters of `ask.spend`: hours back from now. */
export const AskSpendParams = z.strictObject({ hours: z.number().int().min(1).max(2160) })

/** Integers of events, for clients that know no names. The first four are the gen-1 numbers. */
export const askEventTypes = {
  text: 0,
  tool_call: 1,
  tool_result: 2,
  thinking: 3,
  partial: 100,
  usage: 101,
  approval: 102,
  tool_output: 103,
} as const
export type AskEventName = keyof typeof askEventTypes

/** What an ask says. Exactly one `done` or `error` comes, as the last frame. Names are those of the wire. */
export const AskWireFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('event'),
    event: z.string().max(32),
    /** Alias of `event`. */
    event_type: z.number().int(),
    payload: z.record(z.string(), z.unknown()),
  }),
  z.object({ type: z.literal('pin_required'), challenge_id: z.string(), label: z.string() }),
  z.object({ type: z.literal('pin_denied'), challenge_id: z.string(), reason: z.string() }),
  z.object({
    type: z.literal('confirm_required'),
    token: z.string(),
    /** For people: {@link steps} as text. */
    plan: z.string(),
    /** What would be done, and nothing else; `digest` is of it. */
    steps: z.array(
      z.object({
        machine_id: z.string(),
        machine_name: z.string(),
        tool: z.string(),
        input: z.unknown(),
        text: z.string(),
      }),
    ),
    danger_level: z.enum(['low', 'medium', 'high', 'critical']),
    tool: z.string(),
    input: z.unknown(),
    /** SHA-256 of machine, tool and input; only what hashes to it runs. */
    digest: z.string(),
    expires_at: z.iso.datetime(),
  }),
  z.object({
    type: z.literal('done'),
    /** False: a person rejected what the ask wanted to do. */
    success: z.boolean(),
    text: z.string(),
    error: z.string(),
    duration_ms: z.number(),
    /** What fits the schema that was asked for; otherwise null. */
    output: z.unknown(),
    session_id: z.string(),
    /** `anthropic:<name>`, `cmdop:facts`. */
    model: z.string(),
    tokens_in: z.number().nullable(),
    tokens_out: z.number().nullable(),
    cost_usd: z.number().nullable(),
    /** Its journal on the relay. */
    run_id: z.string(),
    /** What it changed under restrictions, or would change. */
    effects: z.array(EffectSummary),
  }),
  WireError.extend({ type: z.literal('error') }),
])
export type AskWireFrame = z.infer<typeof AskWireFrame>

/** A frame with its number, from 1 and without gaps. */
export const AskLine = z.object({ number: z.number().int().min(1), frame: AskWireFrame })
export type AskLine = z.infer<typeof AskLine>

/** Milliseconds that an answer about an approval waits for the decision. */
export const APPROVAL_POLL_MS = 20_000

/** From the machine: a call that its operator wants to make there, or how one ended that was permitted. */
export const PermitRequest = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('request'),
    method: z.string().max(64),
    callId: CallId,
    params: z.record(z.string(), z.unknown()),
    deadlineMs: z.number().int().positive().max(2_147_483_647).optional(),
    approvalId: z.string().min(1).max(64).optional(),
    askApproval: z.boolean().optional(),
    operator: Operator.optional(),
    under: PlainRestrictions.optional(),
  }),
  /** How an approval of its own stands, once it is decided, or after {@link APPROVAL_POLL_MS}. */
  z.strictObject({ type: z.literal('approval'), callId: CallId, approvalId: z.string().min(1).max(64) }),
  z.strictObject({
    type: z.literal('ended'),
    callId: CallId,
    /** The trailer of the call; null when it has none. */
    trailer: z.unknown(),
    error: WireError.nullable(),
  }),
])
export type PermitRequest = z.infer<typeof PermitRequest>

/**
 * From the machine: what its operator does for the ask, for the journal of that run. `number` grows from one to the next; the
 * same is sent again on another connection.
 */
export const JournalRequest = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('create'), number: z.number().int().min(1), run: RunCreate }),
  z.strictObject({ type: z.literal('append'), number: z.number().int().min(1), runId: RunId, entries: RunAppend }),
])
export type JournalRequest = z.infer<typeof JournalRequest>

/** From the relay: it is durable, or why it is not. */
export const JournalAnswer = z.strictObject({ number: z.number().int().min(1), error: WireError.nullable() })
export type JournalAnswer = z.infer<typeof JournalAnswer>

/** From the relay, to a `request`: the permit, or why there is none. */
export const PermitAnswer = z.strictObject({
  callId: CallId,
  permit: SignedPermit.nullable(),
  /** Where a person had to approve it. */
  approval: SignedApproval.nullable(),
  /** The answer to `approval`. */
  asked: ApprovalInfo.nullable(),
  error: WireError.nullable(),
})
export type PermitAnswer = z.infer<typeof PermitAnswer>
