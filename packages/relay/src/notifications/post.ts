import { createHmac } from 'node:crypto'
import { isIP } from 'node:net'
import { isCmdopError, NOTIFICATION_HEADERS, notificationText } from '@cmdop/protocol'
import { Agent, request } from 'undici'
import type { DeliveryRow, WebhookRow } from '../store/notification-store.ts'
import { createLookup, hostOf, isAllowed, ruleFor } from './addresses.ts'

/** Characters of an answer that are kept, and bytes that are read of it. */
const KEPT_CHARACTERS = 300
const READ_BYTES = 2048

/** What became of one try. */
export interface Answer {
  readonly status: number | null
  readonly error: string | null
  readonly text: string | null
  /** How long the receiver asks to be left alone. */
  readonly retryAfterMs: number | null
}

export interface PosterOptions {
  readonly allowInsecure: boolean
  /** Milliseconds for one try, from the name to the end of the answer. */
  readonly timeoutMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Sends notifications. Follows no redirect, and goes to no address that {@link isAllowed} refuses. */
export class Poster implements AsyncDisposable {
  readonly #options: PosterOptions
  /** By rule, because a connection is used again. */
  readonly #agents: Readonly<Record<'any' | 'loopback', Agent>>

  constructor(options: PosterOptions) {
    this.#options = options
    const agent = (loopbackOnly: boolean) =>
      new Agent({
        connect: { lookup: createLookup({ loopbackOnly }), timeout: options.timeoutMs },
        connections: 4,
        keepAliveTimeout: 1000,
      })
    this.#agents = { any: agent(false), loopback: agent(true) }
  }

  /** One try. Never throws: what goes wrong is in the answer, without the url and its secrets. */
  async post(
    webhook: WebhookRow,
    delivery: Pick<DeliveryRow, 'id' | 'event' | 'body'>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { timeoutMs, allowInsecure } = this.#options
    const late = AbortSignal.timeout(timeoutMs)
    try {
      const url = new URL(webhook.url)
      const rule = ruleFor(url, allowInsecure)
      const host = hostOf(url)
      if (isIP(host) !== 0 && !isAllowed(host, rule)) return failed('address_refused')
      const { statusCode, headers, body } = await request(url, {
        method: 'POST',
        headers: this.#headers(webhook, delivery),
        body: delivery.body,
        signal: AbortSignal.any([late, signal]),
        dispatcher: rule.loopbackOnly ? this.#agents.loopback : this.#agents.any,
      })
      const text = cleaned(await beginning(body), webhook)
      const isRedirect = statusCode >= 300 && statusCode < 400
      const error = statusCode < 300 ? null : isRedirect ? 'redirect' : 'status'
      return { status: statusCode, error, text, retryAfterMs: retryAfter(headers['retry-after']) }
    } catch (error) {
      return failed(late.aborted ? 'timeout' : wordOf(error))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.#agents).map((agent) => agent.destroy()))
  }

  #headers(
    { secret, kind }: WebhookRow,
    { id, event, body }: Pick<DeliveryRow, 'id' | 'event' | 'body'>,
  ): Record<string, string> {
    const timestamp = String(Math.floor(this.#options.now() / 1000))
    return {
      'content-type': 'application/json',
      'user-agent': `cmdop-relay (${kind})`,
      [NOTIFICATION_HEADERS.event]: event === 'test' ? event : `approval.${event}`,
      [NOTIFICATION_HEADERS.delivery]: id,
      [NOTIFICATION_HEADERS.timestamp]: timestamp,
      [NOTIFICATION_HEADERS.signature]: signatureOf({ secret, timestamp, body }),
    }
  }
}

/** `v1=<hex>`: HMAC-SHA-256 over time and body. */
export function signatureOf({ secret, timestamp, body }: Record<'secret' | 'timestamp' | 'body', string>): string {
  return `v1=${createHmac('sha256', secret).update(notificationText(timestamp, body)).digest('hex')}`
}

async function beginning(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop lets the rest go.
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= READ_BYTES) break
  }
  return Buffer.concat(chunks).subarray(0, READ_BYTES).toString()
}

/** An answer may repeat what it was sent. */
function cleaned(text: string, { secret, url }: WebhookRow): string {
  const { pathname, search } = new URL(url)
  const secrets = [secret, url, `${pathname}${search}`, pathname].filter((each) => each.length > 1)
  const kept = secrets.reduce((rest, each) => rest.replaceAll(each, '[...]'), text)
  return kept
    .replaceAll(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, KEPT_CHARACTERS)
}

function retryAfter(header: string | string[] | undefined): number | null {
  const seconds = typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : undefined
  return seconds === undefined ? null : seconds * 1000
}

function failed(error: string): Answer {
  return { status: null, error, text: null, retryAfterMs: null }
}

/** What went wrong, in a word that holds no secret. */
function wordOf(error: unknown): string {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (isCmdopError(each)) return 'address_refused'
    if ('code' in each && typeof each.code === 'string' && /^[A-Z0-9_]{1,64}$/.test(each.code)) return each.code
  }
  return 'connection'
}
