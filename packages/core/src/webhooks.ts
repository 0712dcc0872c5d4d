import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Cancellable, Repeatable } from './cancellable.ts'
import type { DeliveryInfo, DeliveryList, WebhookCreated, WebhookInfo, WebhookList } from './resources.ts'
import { type FromWire, toQuery, toWire } from './wire-names.ts'
import { cursorPages, itemsOf, onePage } from './pages.ts'
import type { RestClient } from './rest-client.ts'

/** Deliveries on a page, see `DeliveryListQuery` of `@cmdop/protocol`. */
type DeliveryQuery = Omit<Partial<FromWire<wire.DeliveryListQuery>>, 'cursor'>

/** `client.webhooks`: where notifications about approvals go, and which went. */
export class WebhooksNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** Those of the fleet, the oldest first. Of each url only the host is shown, because the rest may be a secret. */
  async list(options: Cancellable = {}): Promise<WebhookInfo[]> {
    return (await this.#page(options)).items
  }

  /** Each of them. */
  iter(options: Cancellable = {}): AsyncGenerator<WebhookInfo> {
    return itemsOf(this.pages(options), ({ id }) => id, options)
  }

  /** Every page: they are few, and all on one. */
  pages(options: Cancellable = {}): AsyncGenerator<WebhookList> {
    return onePage(() => this.#page(options))
  }

  /** Sends notifications there from now on. Its `secret`, with which they are signed, is shown only here. */
  create(given: FromWire<wire.WebhookCreate>, { signal, idempotencyKey }: Repeatable = {}): Promise<WebhookCreated> {
    const body = toWire(wire.WebhookCreate, given)
    return this.#rest.call({
      method: 'POST',
      path: '/api/webhooks',
      body,
      answer: wire.WebhookCreated,
      signal,
      idempotencyKey,
    })
  }

  /** Switches it on or off. Throws `not_found`. */
  update(
    webhookId: string,
    change: FromWire<wire.WebhookChange>,
    { signal, idempotencyKey }: Repeatable = {},
  ): Promise<WebhookInfo> {
    const body = toWire(wire.WebhookChange, change)
    return this.#rest.call({
      method: 'PATCH',
      path: pathOf(webhookId),
      body,
      answer: wire.WebhookInfo,
      signal,
      idempotencyKey,
    })
  }

  /** Sends nothing there any more, and forgets what was sent. Throws `not_found`. */
  async remove(webhookId: string, { signal, idempotencyKey }: Repeatable = {}): Promise<void> {
    await this.#rest.call({ method: 'DELETE', path: pathOf(webhookId), answer: z.null(), signal, idempotencyKey })
  }

  /** Sends a test at once, and gives what became of it. Throws `not_found`. */
  test(webhookId: string, { signal }: Cancellable = {}): Promise<DeliveryInfo> {
    const path = `${pathOf(webhookId)}/test`
    return this.#rest.call({ method: 'POST', path, body: {}, answer: wire.DeliveryInfo, signal })
  }

  /** What was sent there, one page, the newest first. Pass `nextCursor` on as `cursor`. */
  deliveries(
    webhookId: string,
    { signal, ...given }: Partial<FromWire<wire.DeliveryListQuery>> & Cancellable = {},
  ): Promise<DeliveryList> {
    const path = `${pathOf(webhookId)}/deliveries`
    const query = toQuery(wire.DeliveryListQuery, given)
    return this.#rest.call({ method: 'GET', path, query, answer: wire.DeliveryList, signal })
  }

  /** Everything that was sent there, page by page as it is needed. */
  iterDeliveries(webhookId: string, query: DeliveryQuery & Cancellable = {}): AsyncGenerator<DeliveryInfo> {
    return itemsOf(this.pagesDeliveries(webhookId, query), ({ id }) => id, query)
  }

  /** Every page of it. Ends with the last one. */
  pagesDeliveries(webhookId: string, query: DeliveryQuery & Cancellable = {}): AsyncGenerator<DeliveryList> {
    return cursorPages((cursor) => this.deliveries(webhookId, { ...query, cursor }))
  }

  #page({ signal }: Cancellable): Promise<WebhookList> {
    return this.#rest.call({ method: 'GET', path: '/api/webhooks', answer: wire.WebhookList, signal })
  }
}

function pathOf(webhookId: string): string {
  return `/api/webhooks/${encodeURIComponent(webhookId)}`
}
