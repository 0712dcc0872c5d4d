import { entries, identified, pieces, textOf, type Wire } from './wire.ts'

/** The OpenAI Chat Completions stream, which compatible servers speak too, with `reasoning_content` for thinking. */
export const openaiChatWire: Wire = {
  path: '/v1/chat/completions',
  events: (turn, number) => {
    const base = { id: `chatcmpl-${number}`, object: 'chat.completion.chunk', created: 1_700_000_000, model: 'fake' }
    const chunk = (delta: unknown, finish_reason: string | null = null): string =>
      data({ ...base, choices: [{ index: 0, delta, finish_reason }] })
    const { input, output, cached, reasoning } = {
      cached: 0,
      reasoning: 0,
      ...(turn.usage ?? { input: 10, output: 5 }),
    }
    const usage = {
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      prompt_tokens_details: { cached_tokens: cached },
      completion_tokens_details: { reasoning_tokens: reasoning },
    }
    const failure = { error: { message: turn.streamError, type: 'server_error', param: null, code: null } }
    return [
      chunk({ role: 'assistant', content: '' }),
      ...pieces(turn.thinking ?? '').map((piece) => chunk({ reasoning_content: piece })),
      ...pieces(turn.text ?? '').map((piece) => chunk({ content: piece })),
      ...pieces(turn.refusal ?? '').map((piece) => chunk({ refusal: piece })),
      ...identified(turn, number).flatMap(({ tool, json, id }, index) => [
        chunk({ tool_calls: [{ index, id, type: 'function', function: { name: tool, arguments: '' } }] }),
        ...pieces(json).map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] })),
      ]),
      ...(turn.streamError === undefined
        ? [
            chunk({}, turn.calls?.length ? 'tool_calls' : 'stop'),
            data({ ...base, choices: [], usage }),
            'data: [DONE]\n\n',
          ]
        : [data(failure)]),
    ]
  },
  userTexts: (body) =>
    entries(body.messages)
      .filter((message) => message.role === 'user')
      .map((message) => textOf(message.content)),
  toolResults: (body) =>
    entries(body.messages)
      .filter((message) => message.role === 'tool')
      .map((message) => textOf(message.content)),
  tools: (body) => entries(body.tools).map((tool) => String(Reflect.get(Object(tool.function), 'name'))),
  error: (message) => ({ error: { message, type: 'server_error', param: null, code: null } }),
}

function data(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`
}
