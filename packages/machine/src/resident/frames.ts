import type { RunEvent, RunRecord } from '@cmdop/agent'
import { type AskEventName, askEventTypes, type AskWireFrame, type CmdopError, toWireError } from '@cmdop/protocol'

/** Characters of one value in a frame at most, as JSON: a longer one is left out, and said to be. */
const MAX_VALUE_CHARACTERS = 262_144

/** An event of a run as a frame; undefined for its end. */
export function frameOf(event: RunEvent): AskWireFrame | undefined {
  switch (event.type) {
    case 'text':
      return eventFrame('text', { delta: event.content })
    case 'thinking':
      return eventFrame('thinking', { content: event.content })
    case 'partial':
      return eventFrame('partial', bounded('output', event.output))
    case 'tool_call':
      return eventFrame('tool_call', {
        tool: event.tool,
        tool_call_id: event.toolCallId,
        ...bounded('input', event.input),
      })
    case 'tool_result':
      return event.final
        ? eventFrame('tool_result', {
            tool: event.tool,
            tool_call_id: event.toolCallId,
            is_error: event.isError,
            outcome: event.outcome,
            suspicious: event.suspicious.length > 0,
            ...bounded('output', event.output),
          })
        : eventFrame('tool_output', { tool: event.tool, tool_call_id: event.toolCallId, ...event.chunk })
    case 'approval':
      return eventFrame('approval', {
        tool: event.tool,
        tool_call_id: event.toolCallId,
        approval_id: event.approvalId,
        state: event.state,
      })
    case 'usage':
      return eventFrame('usage', {
        tokens_in: event.usage.inputTokens,
        tokens_out: event.usage.outputTokens,
        cost_usd: event.cost,
      })
    case 'result':
    case 'error':
  }
  return undefined
}

/** The last frame of a run that completed, or that a person stopped (`rejection`). */
export function doneFrame(record: RunRecord, end: { conversationId: string; rejection?: string }): AskWireFrame {
  const { output, model, usage } = record
  return {
    type: 'done',
    success: end.rejection === undefined,
    text: typeof output === 'string' ? output : record.text,
    error: end.rejection ?? '',
    duration_ms: Math.round(record.durationMs),
    output: typeof output === 'string' || output === undefined ? null : output,
    session_id: end.conversationId,
    model: modelName(model),
    tokens_in: usage.inputTokens,
    tokens_out: usage.outputTokens,
    cost_usd: record.cost,
    run_id: record.runId,
    effects: [...record.effects],
  }
}

/** The last frame of a run that failed. */
export function errorFrame(error: CmdopError): AskWireFrame {
  return { type: 'error', ...toWireError(error) }
}

/** `anthropic:<name>`. */
export function modelName({ provider, id }: RunRecord['model']): string {
  return `${provider}:${id}`
}

function eventFrame(event: AskEventName, payload: Record<string, unknown>): AskWireFrame {
  return { type: 'event', event, event_type: askEventTypes[event], payload }
}

function bounded(name: string, value: unknown): Record<string, unknown> {
  const text = JSON.stringify(value) as string | undefined
  return (text?.length ?? 0) <= MAX_VALUE_CHARACTERS ? { [name]: value } : { truncated: true }
}
