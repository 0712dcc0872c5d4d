import { entries, identified, pieces, type ServerTurn, textOf, type Wire } from './wire.ts'

/** The Anthropic Messages stream: https://docs.anthropic.com/en/api/messages-streaming */
export const anthropicWire: Wire = {
  path: '/v1/messages',
  events: (turn, number) => {
    const blocks = blocksOf(turn, number)
    const message = {
      id: `msg_${number}`,
      type: 'message',
      role: 'assistant',
      model: 'fake',
      content: [],
      stop_reason: null,
      stop_sequence: null,
    }
    const { input, output, cached = 0 } = turn.usage ?? { input: 10, output: 5 }
    const usage = { input_tokens: input - cached, cache_read_input_tokens: cached, output_tokens: 1 }
    const end = turn.refusal === undefined ? (turn.calls?.length ? 'tool_use' : 'end_turn') : 'refusal'
    return [
      event({ type: 'message_start', message: { ...message, usage } }),
      event({ type: 'ping' }),
      ...blocks.flatMap(({ content_block, deltas }, index) => [
        event({ type: 'content_block_start', index, content_block }),
        ...deltas.map((delta) => event({ type: 'content_block_delta', index, delta })),
        event({ type: 'content_block_stop', index }),
      ]),
      ...(turn.streamError === undefined
        ? [
            event({
              type: 'message_delta',
              delta: { stop_reason: end, stop_sequence: null },
              usage: { output_tokens: output },
            }),
            event({ type: 'message_stop' }),
          ]
        : [event({ type: 'error', error: { type: 'overloaded_error', message: turn.streamError } })]),
    ]
  },
  userTexts: (body) =>
    entries(body.messages)
      .filter((message) => message.role === 'user')
      .map((message) => textOf(message.content))
      .filter((text) => text !== ''),
  toolResults: (body) =>
    entries(body.messages)
      .flatMap((message) => entries(message.content))
      .filter((part) => part.type === 'tool_result')
      .map((part) => textOf(part.content)),
  tools: (body) => entries(body.tools).map((tool) => String(tool.name)),
  error: (message) => ({ type: 'error', error: { type: 'api_error', message } }),
}

function event(data: { type: string; [key: string]: unknown }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
}

function blocksOf(turn: ServerTurn, number: number): { content_block: unknown; deltas: unknown[] }[] {
  const { thinking, text = turn.refusal } = turn
  const thought = pieces(thinking ?? '').map((piece) => ({ type: 'thinking_delta', thinking: piece }))
  return [
    ...(thinking === undefined
      ? []
      : [
          {
            content_block: { type: 'thinking', thinking: '', signature: '' },
            deltas: [...thought, { type: 'signature_delta', signature: 'c2lnbmVk' }],
          },
        ]),
    ...(text === undefined
      ? []
      : [
          {
            content_block: { type: 'text', text: '' },
            deltas: pieces(text).map((piece) => ({ type: 'text_delta', text: piece })),
          },
        ]),
    ...identified(turn, number).map(({ tool, json, id }) => ({
      content_block: { type: 'tool_use', id, name: tool, input: {} },
      deltas: pieces(json).map((piece) => ({ type: 'input_json_delta', partial_json: piece })),
    })),
  ]
}
