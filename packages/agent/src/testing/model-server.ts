import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import type { Environment } from '../config.ts'
import { anthropicWire } from './wires/anthropic.ts'
import { openaiChatWire } from './wires/openai-chat.ts'
import { openaiResponsesWire } from './wires/openai-responses.ts'
import type { RequestBody, ServerTurn, Wire } from './wires/wire.ts'

/** The protocols the fake server speaks, by the name of what speaks them for real. */
export const wireNames = ['anthropic', 'openai-responses', 'openai-chat', 'openai-compatible'] as const

/** One of the protocols. */
export type WireName = (typeof wireNames)[number]

const wires: readonly Wire[] = [anthropicWire, openaiResponsesWire, openaiChatWire]

/** The only key the server takes, so that a wrong one shows. */
export const modelServerKey = 'sk-fake-0123456789'

/** A request the server got. */
export interface ServerRequest {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: RequestBody
  /** The texts of the caller, in order; the first holds the prompt. */
  readonly userTexts: readonly string[]
  /** The texts of the tool results in it, in order. */
  readonly toolResults: readonly string[]
  /** Names of the offered tools. */
  readonly tools: readonly string[]
  /** Resolves when the answer is over, or when the client has gone. */
  readonly closed: Promise<void>
}

/** A fake model provider at the HTTP wire. */
export interface ModelServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly requests: readonly ServerRequest[]
  /** The environment with which an agent comes here, in the given protocol and with a key the server takes. */
  env(wire: WireName): Environment
  /** Throws when turns are left over, or when a request came for which there was none. */
  assertComplete(): void
}

/**
 * Starts a server on a free port of 127.0.0.1 that speaks the Anthropic Messages stream, the OpenAI Responses stream and
 * the OpenAI Chat stream, and answers each request with the next turn; a function answers all. Disposing it closes every
 * connection and asserts that all turns were used.
 */
export async function startModelServer(
  turns: readonly ServerTurn[] | ((request: ServerRequest, index: number) => ServerTurn),
): Promise<ModelServer> {
  const requests: ServerRequest[] = []
  const next = (request: ServerRequest): ServerTurn => {
    const index = requests.push(request) - 1
    if (typeof turns === 'function') return turns(request, index)
    return turns[index] ?? { status: 400 }
  }
  const server = createServer((request, response) => {
    answer(request, response, { next, number: () => requests.length }).catch((error: unknown) =>
      response.destroy(error as Error),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const assertComplete = (): void => {
    if (typeof turns === 'function' || requests.length === turns.length) return
    throw new Error(`The model server has ${turns.length} turns; ${requests.length} requests came.`)
  }
  return {
    url,
    requests,
    env: (wire) => environments[wire](url),
    assertComplete,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      assertComplete()
    },
  }
}

const environments: Readonly<Record<WireName, (url: string) => Environment>> = {
  anthropic: (url) => ({ ANTHROPIC_API_KEY: modelServerKey, ANTHROPIC_BASE_URL: url, CMDOP_MODEL: 'anthropic:fake' }),
  'openai-responses': (url) => ({
    OPENAI_API_KEY: modelServerKey,
    OPENAI_BASE_URL: `${url}/v1`,
    CMDOP_MODEL: 'openai:fake',
  }),
  'openai-chat': (url) => ({
    OPENAI_API_KEY: modelServerKey,
    OPENAI_BASE_URL: `${url}/v1`,
    CMDOP_MODEL: 'openai-chat:fake',
  }),
  'openai-compatible': (url) => ({
    CMDOP_MODEL_BASE_URL: `${url}/v1`,
    CMDOP_MODEL_API_KEY: modelServerKey,
    CMDOP_MODEL: 'fake',
  }),
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { next, number }: { next: (request: ServerRequest) => ServerTurn; number: () => number },
): Promise<void> {
  const wire = wires.find((each) => each.path === request.url)
  const body = (await json(request)) as RequestBody
  if (wire === undefined) return refuse(response, 404, { error: { message: `No such path: ${request.url}` } })
  const key = request.headers['x-api-key'] ?? request.headers.authorization?.replace(/^Bearer /, '')
  const { headers } = request
  const closed = new Promise<void>((resolve) => void response.once('close', resolve))
  const turn = next({
    path: wire.path,
    headers,
    body,
    userTexts: wire.userTexts(body),
    toolResults: wire.toolResults(body),
    tools: wire.tools(body),
    closed,
  })
  if (key !== modelServerKey) return refuse(response, 401, wire.error(`Incorrect API key provided: ${String(key)}`))
  if (turn.status !== undefined) return refuse(response, turn.status, wire.error(`status ${turn.status}`), turn.headers)
  response.writeHead(200, { 'content-type': 'text/event-stream', ...turn.headers })
  const events = wire.events(turn, number())
  response.write(events.slice(0, turn.breaks === undefined ? events.length : Math.ceil(events.length / 2)).join(''))
  if (turn.breaks === 'reset') response.write(':\n\n', () => response.destroy())
  else if (turn.breaks !== 'hang') response.end()
}

function refuse(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
