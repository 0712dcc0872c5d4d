import { CmdopError, ErrorBody, fromWireError } from '@cmdop/protocol'
import type { z } from 'zod'
import type { Platform } from './platform.ts'
import { type ClientSettings, requireToken } from './settings.ts'

/** One call of the relay's REST side. */
export interface RestRequest<Schema extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Record<string, string | number | undefined>
  readonly body?: unknown
  /** Shape of the answer; absent when there is none (204). */
  readonly answer: Schema
  readonly signal?: AbortSignal | undefined
}

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
    const idempotent = request.method === 'GET'
    const { status, body } = await this.#send(request, idempotent)
    if (status >= 400) throw errorOf(status, body, idempotent)
    const answer = request.answer.safeParse(body)
    if (answer.success) return answer.data
    throw new CmdopError(
      'server',
      `${request.method} ${request.path} gave an answer of another shape; is the relay of another version?`,
      { cause: answer.error },
    )
  }

  async #send(request: RestRequest<z.ZodType>, idempotent: boolean): Promise<{ status: number; body: unknown }> {
    const { timeoutMs } = this.#settings
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal])
    const headers = {
      authorization: `Bearer ${requireToken(this.#settings)}`,
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    try {
      const answer = await this.#platform.fetch(this.#url(request), {
        method: request.method,
        headers,
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        signal,
        redirect: 'error',
      })
      const text = await answer.text()
      return { status: answer.status, body: text === '' ? null : parseJson(text) }
    } catch (cause) {
      if (request.signal?.aborted === true) throw new CmdopError('cancelled', 'The call was cancelled.', { cause })
      if (timeout.aborted)
        throw new CmdopError('timeout', `The relay did not answer within ${timeoutMs} ms.`, { cause, idempotent })
      throw new CmdopError('connection', `The relay at ${this.#settings.baseUrl} cannot be reached; is it running?`, {
        cause,
        idempotent,
      })
    }
  }

  #url({ path, query = {} }: RestRequest<z.ZodType>): string {
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
