import { CmdopError, ErrorBody, fromWireError, isCmdopError } from '@cmdop/protocol'
import type { z } from 'zod'
import type { HttpAnswer, Platform } from './platform.ts'
import { type ClientSettings, requireToken } from './settings.ts'

/** One call of the relay's REST side. */
export interface RestRequest<Schema extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Record<string, string | number | undefined>
  readonly body?: unknown
  /** Shape of the answer; absent when there is none (204). */
  readonly answer: Schema
  readonly signal?: AbortSignal | undefined
  /** Milliseconds that the relay may wait before it answers, beside `timeoutMs`. */
  readonly waitsMs?: number
  /** Sent without a key: it is how one gets one. */
  readonly isAnonymous?: boolean
}

type SentRequest = Omit<RestRequest<z.ZodType>, 'answer'> & {
  /** Of a stream that is gone on with. */
  readonly lastEventId?: string | undefined
}

/** Milliseconds without a byte after which a stream of events is taken for lost; a relay gives a sign of life every 15 s. */
const SILENT_MS = 45_000

/** Calls the relay's REST side: key, time limit, and every failure as a coded error. */
export class RestClient {
  readonly #settings: ClientSettings
  readonly #platform: Platform

  constructor(settings: ClientSettings, platform: Platform) {
    this.#settings = settings
    this.#platform = platform
  }

  /** The answer, checked. Throws the relay's error, `connection`, `timeout`, `cancelled`, or `server` for a strange answer. */
  async call<Schema extends z.ZodType>(request: RestRequest<Schema>): Promise<z.output<Schema>> {
    const answer = request.answer.safeParse(await this.#send(request, readJson))
    if (answer.success) return answer.data
    throw new CmdopError(
      'server',
      `${request.method} ${request.path} gave an answer of another shape; is the relay of another version?`,
      { cause: answer.error },
    )
  }

  /** The answer as bytes. Throws what {@link call} does. */
  async bytes(request: SentRequest): Promise<Uint8Array> {
    return new Uint8Array(await this.#send(request, (answer) => answer.arrayBuffer()))
  }

  /**
   * The body of an answer that goes on for as long as it likes; `timeoutMs` is for its head. Throws what {@link call} does,
   * and `connection` when it breaks off or falls silent.
   */
  async stream(request: SentRequest): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
    const { timeoutMs } = this.#settings
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeoutMs)
    try {
      const answer = await this.#try(request, late.signal, (given) => Promise.resolve(given))
      return this.#body(answer, request, late)
    } finally {
      clearTimeout(timer)
    }
  }

  async *#body(
    answer: HttpAnswer,
    request: SentRequest,
    late: AbortController,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = answer.body?.getReader()
    if (reader === undefined) return
    try {
      for (;;) {
        const timer = setTimeout(() => late.abort(), SILENT_MS)
        const { done, value } = await reader.read().finally(() => clearTimeout(timer))
        if (done || value === undefined) return
        yield value
      }
    } catch (cause) {
      throw this.#failure(cause, request, false)
    } finally {
      await reader.cancel().catch(() => {})
    }
  }

  async #send<Value>(request: SentRequest, read: (answer: HttpAnswer) => Promise<Value>): Promise<Value> {
    // Not `AbortSignal.timeout`: its timer stays until it fires, long after the answer.
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), this.#settings.timeoutMs + (request.waitsMs ?? 0))
    try {
      return await this.#try(request, late.signal, read)
    } finally {
      clearTimeout(timer)
    }
  }

  async #try<Value>(
    request: SentRequest,
    timeout: AbortSignal,
    read: (answer: HttpAnswer) => Promise<Value>,
  ): Promise<Value> {
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal])
    const headers = {
      ...(request.isAnonymous === true ? {} : { authorization: `Bearer ${requireToken(this.#settings)}` }),
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(request.lastEventId === undefined ? {} : { 'last-event-id': request.lastEventId }),
    }
    try {
      const answer = await this.#platform.fetch(this.#url(request), {
        method: request.method,
        headers,
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        signal,
        redirect: 'error',
      })
      if (answer.status >= 400) throw errorOf(answer.status, await readJson(answer), request.method === 'GET')
      return await read(answer)
    } catch (cause) {
      throw this.#failure(cause, request, timeout.aborted)
    }
  }

  #failure(cause: unknown, request: SentRequest, isLate: boolean): CmdopError {
    const { timeoutMs, baseUrl } = this.#settings
    const idempotent = request.method === 'GET'
    if (request.signal?.aborted === true) return new CmdopError('cancelled', 'The call was cancelled.', { cause })
    if (isCmdopError(cause)) return cause
    if (isLate)
      return new CmdopError('timeout', `The relay did not answer within ${timeoutMs} ms.`, { cause, idempotent })
    return new CmdopError('connection', `The relay at ${baseUrl} cannot be reached; is it running?`, {
      cause,
      idempotent,
    })
  }

  #url({ path, query = {} }: SentRequest): string {
    const url = new URL(`${this.#settings.baseUrl}${path}`)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value))
    return url.href
  }
}

function errorOf(status: number, body: unknown, idempotent: boolean): CmdopError {
  const parsed = ErrorBody.safeParse(body)
  if (parsed.success) return fromWireError(parsed.data.error, { idempotent })
  return new CmdopError('server', `The address does not answer like a relay (HTTP ${status}); check CMDOP_BASE_URL.`, {
    idempotent,
  })
}

async function readJson(answer: HttpAnswer): Promise<unknown> {
  const text = await answer.text()
  return text === '' ? null : parseJson(text)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
