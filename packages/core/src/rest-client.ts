import { CmdopError, ErrorBody, type ErrorCode, fromWireError, isCmdopError } from '@cmdop/protocol'
import type { z } from 'zod'
import type { HttpAnswer, Platform } from './platform.ts'
import { retried } from './retried.ts'
import { type ClientSettings, requireApiKey, requireToken } from './settings.ts'
import { type FromWire, fromWire } from './wire-names.ts'

/** One call of the relay's REST side. */
export interface RestRequest<Schema extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  /** With the names of the wire, as what follows. */
  readonly query?: Record<string, string | number | boolean | undefined>
  readonly body?: unknown
  /** Shape of the answer; absent when there is none (204). */
  readonly answer: Schema
  readonly signal?: AbortSignal | undefined
  /** Milliseconds that the relay may wait before it answers, beside `timeoutMs`. */
  readonly waitsMs?: number
  /** Whom it is for: the relay with its token, the platform with its key, or nobody's key, where it is how one gets one. Default: the relay. */
  readonly plane?: 'relay' | 'platform' | 'anonymous'
  /** Makes a change that is sent twice one change; it is tried again then. At most 128 visible characters. */
  readonly idempotencyKey?: string | undefined
  /** Sending it again cannot act twice, though it is no GET. */
  readonly isRepeatable?: boolean
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

  /** {@link wire}, with the names of TypeScript. */
  async call<Schema extends z.ZodType>(request: RestRequest<Schema>): Promise<FromWire<z.output<Schema>>> {
    return fromWire(request.answer, await this.wire(request))
  }

  /** The answer, checked. Throws the relay's error, `connection`, `timeout`, `cancelled`, or `server` for a strange answer. */
  async wire<Schema extends z.ZodType>(request: RestRequest<Schema>): Promise<z.output<Schema>> {
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

  /** `timeoutMs` is for all tries together. */
  async #send<Value>(request: SentRequest, read: (answer: HttpAnswer) => Promise<Value>): Promise<Value> {
    // Not `AbortSignal.timeout`: its timer stays until it fires, long after the answer.
    const late = new AbortController()
    const withinMs = this.#settings.timeoutMs + (request.waitsMs ?? 0)
    const timer = setTimeout(() => late.abort(), withinMs)
    try {
      return await retried(() => this.#try(request, late.signal, read), {
        retries: this.#settings.retries,
        until: performance.now() + withinMs,
        signal: request.signal,
      })
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
      ...this.#credential(request),
      ...(request.idempotencyKey === undefined ? {} : { 'idempotency-key': request.idempotencyKey }),
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
      if (answer.status >= 400) throw await errorOf(answer, isIdempotent(request))
      return await read(answer)
    } catch (cause) {
      throw this.#failure(cause, request, timeout.aborted)
    }
  }

  #failure(cause: unknown, request: SentRequest, isLate: boolean): CmdopError {
    const { timeoutMs, baseUrl, apiBaseUrl } = this.#settings
    const idempotent = isIdempotent(request)
    if (request.signal?.aborted === true) return new CmdopError('cancelled', 'The call was cancelled.', { cause })
    if (isCmdopError(cause)) return cause
    if (isLate)
      return new CmdopError('timeout', `The relay did not answer within ${timeoutMs} ms.`, { cause, idempotent })
    const { root, name } =
      request.plane === 'platform' ? { root: apiBaseUrl, name: 'platform' } : { root: baseUrl, name: 'relay' }
    return new CmdopError('connection', `The ${name} at ${root} cannot be reached; is it running?`, {
      cause,
      idempotent,
    })
  }

  /** Each key goes to its own plane, and is demanded only where that is called. */
  #credential({ plane = 'relay' }: SentRequest): Record<string, string> {
    if (plane === 'anonymous') return {}
    if (plane === 'platform') return { 'x-api-key': requireApiKey(this.#settings) }
    return { authorization: `Bearer ${requireToken(this.#settings)}` }
  }

  #url({ path, plane, query = {} }: SentRequest): string {
    const { baseUrl, apiBaseUrl } = this.#settings
    const url = new URL(`${plane === 'platform' ? apiBaseUrl : baseUrl}${path}`)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value))
    return url.href
  }
}

/** Whether sending it twice cannot act twice. */
function isIdempotent({ method, idempotencyKey, isRepeatable }: SentRequest): boolean {
  return method === 'GET' || idempotencyKey !== undefined || isRepeatable === true
}

async function errorOf(answer: HttpAnswer, idempotent: boolean): Promise<CmdopError> {
  const { status } = answer
  const body = await readJson(answer)
  const parsed = ErrorBody.safeParse(body)
  const facts = { idempotent, status, body, ...retryAfterOf(answer) }
  if (parsed.success) return fromWireError(parsed.data.error, facts)
  const message = `The address does not answer like a relay (HTTP ${status}); check CMDOP_BASE_URL, and proxies on the way.`
  return new CmdopError(codeOf(status, idempotent), message, { ...facts, details: { proxy: true } })
}

/** Answers of proxies, and of what is no relay, by what HTTP says that they mean. */
const codesByStatus: Readonly<Partial<Record<number, ErrorCode>>> = {
  401: 'auth',
  403: 'permission',
  404: 'not_found',
  408: 'timeout',
  409: 'conflict',
  429: 'rate_limit',
  504: 'timeout',
}

/** Of a 503 of a relay nothing ran; a proxy may have sent on what it gives one for, so a change is not sent again. */
function codeOf(status: number, idempotent: boolean): ErrorCode {
  if (status === 503 && idempotent) return 'unavailable'
  return codesByStatus[status] ?? (status < 500 ? 'validation' : 'server')
}

/** Seconds of `Retry-After`, where it says so; a date in it is not used by relays. */
function retryAfterOf({ headers }: HttpAnswer): { retryAfter?: number } {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfter: seconds } : {}
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
