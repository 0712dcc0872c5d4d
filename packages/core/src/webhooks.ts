import {
  DeliveryInfo,
  DeliveryList,
  type DeliveryListQuery,
  type WebhookChange,
  type WebhookCreate,
  WebhookCreated,
  WebhookInfo,
  WebhookList,
} from '@cmdop/protocol'
import { z } from 'zod'
import type { RestClient } from './rest-client.ts'

interface Cancellable {
  signal?: AbortSignal | undefined
}

/** `client.webhooks`: where notifications about approvals go, and which went. */
export class WebhooksNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** Those of the fleet, the oldest first. Of each url only the host is shown, because the rest may be a secret. */
  async list({ signal }: Cancellable = {}): Promise<WebhookInfo[]> {
    return (await this.#rest.call({ method: 'GET', path: '/api/webhooks', answer: WebhookList, signal })).items
  }

  /** Sends notifications there from now on. Its `secret`, with which they are signed, is shown only here. */
  create(body: WebhookCreate, { signal }: Cancellable = {}): Promise<WebhookCreated> {
    return this.#rest.call({ method: 'POST', path: '/api/webhooks', body, answer: WebhookCreated, signal })
  }

  /** Switches it on or off. Throws `not_found`. */
  update(webhookId: string, body: WebhookChange, { signal }: Cancellable = {}): Promise<WebhookInfo> {
    return this.#rest.call({ method: 'PATCH', path: pathOf(webhookId), body, answer: WebhookInfo, signal })
  }

  /** Sends nothing there any more, and forgets what was sent. Throws `not_found`. */
  async remove(webhookId: string, { signal }: Cancellable = {}): Promise<void> {
    await this.#rest.call({ method: 'DELETE', path: pathOf(webhookId), answer: z.null(), signal })
  }

  /** Sends a test at once, and gives what became of it. Throws `not_found`. */
  test(webhookId: string, { signal }: Cancellable = {}): Promise<DeliveryInfo> {
    const path = `${pathOf(webhookId)}/test`
    return this.#rest.call({ method: 'POST', path, body: {}, answer: DeliveryInfo, signal })
  }

  /** What was sent there, one page, the newest first. Pass `next_cursor` on as `cursor`. */
  deliveries(
    webhookId: string,
    { signal, ...query }: Partial<DeliveryListQuery> & Cancellable = {},
  ): Promise<DeliveryList> {
    const path = `${pathOf(webhookId)}/deliveries`
    return this.#rest.call({ method: 'GET', path, query, answer: DeliveryList, signal })
  }

  /** Everything that was sent there, page by page as it is needed. Ends when a page does not lead on. */
  async *iterDeliveries(webhookId: string, options: Cancellable = {}): AsyncGenerator<DeliveryInfo> {
    for (let cursor: string | undefined; ;) {
      const page = await this.deliveries(webhookId, { ...options, ...(cursor === undefined ? {} : { cursor }) })
      yield* page.items
      if (page.next_cursor === null || page.next_cursor === cursor) return
      cursor = page.next_cursor
    }
  }
}

function pathOf(webhookId: string): string {
  return `/api/webhooks/${encodeURIComponent(webhookId)}`
}
