import { entries, identified, pieces, type ServerTurn, textOf, type Wire } from './wire.ts'

/** The OpenAI Responses stream: https://platform.openai.com/docs/api-reference/responses-streaming */
export const openaiResponsesWire: Wire = {
  path: '/v1/responses',
  events: (turn, number) => {
    const response = {
      id: `resp_${number}`,
      object: 'response',
      created_at: 1_700_000_000,
      model: 'fake',
      status: 'in_progress',
      output: [],
    }
    const { input, output, cached, reasoning } = {
      cached: 0,
      reasoning: 0,
      ...(turn.usage ?? { input: 10, output: 5 }),
    }
    const usage = {
      input_tokens: input,
      input_tokens_details: { cached_tokens: cached },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: reasoning },
      total_tokens: input + output,
    }
    const end: Event =
      turn.streamError === undefined
        ? {
            type: 'response.completed',
            response: { ...response, status: 'completed', incomplete_details: null, usage },
          }
        : { type: 'error', code: 'server_error', message: turn.streamError, param: null }
    const events = [
      { type: 'response.created', response },
      { type: 'response.in_progress', response },
      ...itemEvents(turn, number),
      end,
    ]
    return events.map(
      (event, sequence_number) => `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number })}\n\n`,
    )
  },
  userTexts: (body) =>
    entries(body.input)
      .filter((item) => item.role === 'user')
      .map((item) => textOf(item.content)),
  toolResults: (body) =>
    entries(body.input)
      .filter((item) => item.type === 'function_call_output')
      .map((item) => textOf(item.output)),
  tools: (body) => entries(body.tools).map((tool) => String(tool.name)),
  error: (message) => ({ error: { message, type: 'server_error', param: null, code: null } }),
}

type Event = { type: string; [key: string]: unknown }

function itemEvents(turn: ServerTurn, number: number): Event[] {
  const thinking =
    turn.thinking === undefined ? [] : [(index: number) => thinkingEvents(turn.thinking ?? '', index, number)]
  const text = turn.text === undefined ? [] : [(index: number) => textEvents(turn.text ?? '', index, number)]
  const refusal =
    turn.refusal === undefined ? [] : [(index: number) => refusalEvents(turn.refusal ?? '', index, number)]
  const calls = identified(turn, number).map((call) => (index: number) => callEvents(call, index))
  return [...thinking, ...text, ...refusal, ...calls].flatMap((events, index) => events(index))
}

function thinkingEvents(text: string, output_index: number, number: number): Event[] {
  const item_id = `rs_${number}`
  const item = { type: 'reasoning', id: item_id, summary: [] as unknown[] }
  const place = { item_id, output_index, summary_index: 0 }
  return [
    { type: 'response.output_item.added', output_index, item },
    { type: 'response.reasoning_summary_part.added', ...place, part: { type: 'summary_text', text: '' } },
    ...pieces(text).map((delta) => ({ type: 'response.reasoning_summary_text.delta', ...place, delta })),
    { type: 'response.reasoning_summary_part.done', ...place, part: { type: 'summary_text', text } },
    { type: 'response.output_item.done', output_index, item: { ...item, summary: [{ type: 'summary_text', text }] } },
  ]
}

function textEvents(text: string, output_index: number, number: number): Event[] {
  const item_id = `msg_${number}`
  const item = { type: 'message', id: item_id, role: 'assistant', status: 'in_progress', content: [] as unknown[] }
  const part = { type: 'output_text', text, annotations: [] }
  return [
    { type: 'response.output_item.added', output_index, item },
    ...pieces(text).map((delta) => ({
      type: 'response.output_text.delta',
      item_id,
      output_index,
      content_index: 0,
      delta,
    })),
    { type: 'response.output_item.done', output_index, item: { ...item, status: 'completed', content: [part] } },
  ]
}

function refusalEvents(text: string, output_index: number, number: number): Event[] {
  const item_id = `msg_${number}`
  const item = { type: 'message', id: item_id, role: 'assistant', status: 'in_progress', content: [] as unknown[] }
  const place = { item_id, output_index, content_index: 0 }
  const done = { ...item, status: 'completed', content: [{ type: 'refusal', refusal: text }] }
  return [
    { type: 'response.output_item.added', output_index, item },
    ...pieces(text).map((delta) => ({ type: 'response.refusal.delta', ...place, delta })),
    { type: 'response.refusal.done', ...place, refusal: text },
    { type: 'response.output_item.done', output_index, item: done },
  ]
}

function callEvents({ tool, json, id }: { tool: string; json: string; id: string }, output_index: number): Event[] {
  const item_id = `fc_${id}`
  const item = { type: 'function_call', id: item_id, call_id: id, name: tool, arguments: '', status: 'in_progress' }
  return [
    { type: 'response.output_item.added', output_index, item },
    ...pieces(json).map((delta) => ({ type: 'response.function_call_arguments.delta', item_id, output_index, delta })),
    { type: 'response.function_call_arguments.done', item_id, output_index, arguments: json },
    { type: 'response.output_item.done', output_index, item: { ...item, arguments: json, status: 'completed' } },
  ]
}
