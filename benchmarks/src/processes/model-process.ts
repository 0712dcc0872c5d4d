/** An HTTP model that answers at once, in a process of its own. Its argument: how many steps a run has. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { serve } from './serve.ts'

const steps = Number(process.argv[2])
const base = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'instant' }
const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
const command = JSON.stringify({ command: ['true'] })

const server = createServer((request, response) => void answer(request, response))
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', 4096, () => {
  const { port } = server.address() as AddressInfo
  serve({ ready: { url: `http://127.0.0.1:${port}/v1` }, close: async () => void server.close() })
})

/** The OpenAI Chat stream: a tool call until the last step, then a text. It counts by the results it is shown. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { messages } = (await json(request)) as { messages: { role: string }[] }
  const taken = messages.filter(({ role }) => role === 'tool').length
  const call = {
    index: 0,
    id: `call_${taken}`,
    type: 'function',
    function: { name: 'run_command', arguments: command },
  }
  const isLast = taken >= steps - 1
  const delta = isLast
    ? { role: 'assistant', content: 'Done.' }
    : { role: 'assistant', content: null, tool_calls: [call] }
  const chunks = [
    { ...base, choices: [{ index: 0, delta, finish_reason: null }] },
    { ...base, choices: [{ index: 0, delta: {}, finish_reason: isLast ? 'stop' : 'tool_calls' }] },
    { ...base, choices: [], usage },
  ]
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(`${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`)
}
