import { AskWireFrame, type EffectSummary, type WireError } from '@cmdop/protocol'

/** What an ask says. Exactly one `done` comes, as the last frame; an ask that fails throws. */
export type AskFrame = { readonly id: string } & AskFields

type AskFields =
  | {
      readonly type: 'event'
      /** `text`, `thinking`, `partial`, `tool_call`, `tool_output`, `tool_result`, `approval`, `usage`. */
      readonly event: string
      readonly eventType: number
      readonly payload: Readonly<Record<string, unknown>>
    }
  /** The machine asks for its PIN: answer with `pin(challengeId, pin)`. */
  | { readonly type: 'pin_required'; readonly challengeId: string; readonly label: string }
  | { readonly type: 'pin_denied'; readonly challengeId: string; readonly reason: string }
  /** The operator asks whether it may do this: answer with `confirm(token, accept)`. */
  | {
      readonly type: 'confirm_required'
      readonly token: string
      readonly plan: string
      /** What would be done, and nothing else; `digest` is of it. */
      readonly steps: readonly ConfirmStep[]
      readonly dangerLevel: 'low' | 'medium' | 'high' | 'critical'
      readonly tool: string
      readonly input: unknown
      readonly digest: string
      readonly expiresAt: string
    }
  | {
      readonly type: 'done'
      /** False: a person rejected what the operator wanted to do, and `error` says so. */
      readonly success: boolean
      readonly text: string
      readonly error: string
      readonly durationMs: number
      /** What fits the schema that was asked for; otherwise null. */
      readonly output: unknown
      readonly sessionId: string
      readonly model: string
      readonly tokensIn: number | null
      readonly tokensOut: number | null
      readonly costUsd: number | null
      /** Its journal: `client.runs.entries(runId)`. */
      readonly runId: string
      /** What it changed under restrictions, or would change. */
      readonly effects: readonly EffectSummary[]
    }
  /** A frame of a newer relay. */
  | { readonly type: 'unknown'; readonly raw: unknown }

/** A step that a person is asked to confirm. */
export interface ConfirmStep {
  readonly machineId: string
  readonly machineName: string
  readonly tool: string
  readonly input: unknown
  readonly text: string
}

/** A frame from the wire, or the error that ends the ask. */
export function readFrame(id: string, raw: unknown): AskFrame | { readonly type: 'error'; readonly error: WireError } {
  const parsed = AskWireFrame.safeParse(raw)
  if (!parsed.success) return { id, type: 'unknown', raw }
  const frame = parsed.data
  if (frame.type === 'error') {
    const { type, ...error } = frame
    return { type, error }
  }
  return { id, ...fieldsOf(frame) }
}

function fieldsOf(frame: Exclude<AskWireFrame, { type: 'error' }>): AskFields {
  switch (frame.type) {
    case 'event':
      return { type: frame.type, event: frame.event, eventType: frame.event_type, payload: frame.payload }
    case 'pin_required':
      return { type: frame.type, challengeId: frame.challenge_id, label: frame.label }
    case 'pin_denied':
      return { type: frame.type, challengeId: frame.challenge_id, reason: frame.reason }
    case 'confirm_required': {
      const { danger_level: dangerLevel, expires_at: expiresAt, steps, ...rest } = frame
      return { ...rest, dangerLevel, expiresAt, steps: steps.map(stepOf) }
    }
    case 'done':
  }
  const { duration_ms, session_id, tokens_in, tokens_out, cost_usd, run_id, ...rest } = frame
  return {
    ...rest,
    durationMs: duration_ms,
    sessionId: session_id,
    tokensIn: tokens_in,
    tokensOut: tokens_out,
    costUsd: cost_usd,
    runId: run_id,
  }
}

function stepOf(step: Extract<AskWireFrame, { type: 'confirm_required' }>['steps'][number]): ConfirmStep {
  const { machine_id: machineId, machine_name: machineName, tool, input, text } = step
  return { machineId, machineName, tool, input, text }
}
