import { describe, expect, it } from 'vitest'
import type { DeliveryRow, WebhookRow } from '../notification-store.ts'
import type { Store } from '../store.ts'
import { addFleet, at, keyRow, newId, type OpenStore } from './world.ts'

/** Where notifications go, what was sent, and who is signed in to the pages. */
export function describeNotifications(open: OpenStore): void {
  const webhookRow = (fleetId: string, change: Partial<WebhookRow> = {}): WebhookRow => ({
    id: newId('webhook'),
    fleetId,
    url: 'https://receiver.example/secret-path',
    kind: 'generic',
    secret: 'a secret',
    events: ['pending', 'denied'],
    minDanger: 'high',
    includeCommand: true,
    enabled: false,
    createdAt: at(1),
    createdById: 'principal_1',
    ...change,
  })
  const deliveryRow = (webhook: WebhookRow, change: Partial<DeliveryRow> = {}): DeliveryRow => ({
    id: newId('delivery'),
    fleetId: webhook.fleetId,
    webhookId: webhook.id,
    subjectId: newId('approval'),
    event: 'pending',
    body: '{"event":"approval.pending"}',
    state: 'waiting',
    attempts: 0,
    dueAt: at(1),
    giveUpAt: at(100),
    status: null,
    error: null,
    answer: null,
    createdAt: at(1),
    endedAt: null,
    ...change,
  })
  const addWebhook = async (store: Store) => {
    const { fleet } = await addFleet(store)
    const webhook = webhookRow(fleet.id)
    await store.notifications.createWebhook(webhook)
    return webhook
  }
  const listed = async (store: Store, { fleetId, id: webhookId }: WebhookRow) =>
    await store.notifications.deliveries(fleetId, { webhookId, limit: 9 })

  describe('webhooks', () => {
    it('gives every field back as it was given, and after a restart', async () => {
      await using world = await open()
      const webhook = await addWebhook(world.store)
      const second = webhookRow(webhook.fleetId, { createdAt: at(0) })
      await world.store.notifications.createWebhook(second)
      const store = await world.reopen()
      expect(await store.notifications.webhooks(webhook.fleetId)).toEqual([second, webhook])
      expect(await store.notifications.getWebhook(webhook.id)).toEqual(webhook)
      expect(await store.notifications.getWebhook(newId('webhook'))).toBeUndefined()
    })

    it('is changed and removed only within its fleet, with what was to be sent', async () => {
      await using world = await open()
      const { notifications } = world.store
      const webhook = await addWebhook(world.store)
      const stranger = await addWebhook(world.store)
      await notifications.enqueue([deliveryRow(webhook)])
      expect(await notifications.enableWebhook(stranger.fleetId, webhook.id, true)).toBe(false)
      expect(await notifications.removeWebhook(stranger.fleetId, webhook.id)).toBe(false)
      expect(await notifications.enableWebhook(webhook.fleetId, webhook.id, true)).toBe(true)
      expect(await notifications.getWebhook(webhook.id)).toEqual({ ...webhook, enabled: true })
      expect(await notifications.removeWebhook(webhook.fleetId, webhook.id)).toBe(true)
      expect(await notifications.getWebhook(webhook.id)).toBeUndefined()
      expect(await notifications.due(at(99), 9)).toEqual([])
      await notifications.enqueue([deliveryRow(webhook)])
      expect(await listed(world.store, webhook)).toEqual([])
    })
  })

  describe('deliveries', () => {
    it('are there once for a webhook, a subject and an event, however many add them', async () => {
      await using world = await open()
      const webhook = await addWebhook(world.store)
      const first = deliveryRow(webhook)
      const { subjectId } = first
      await Promise.all(
        [first, deliveryRow(webhook, { subjectId }), deliveryRow(webhook, { subjectId })].map((row) =>
          world.store.notifications.enqueue([row]),
        ),
      )
      await world.store.notifications.enqueue([deliveryRow(webhook, { subjectId, event: 'denied', createdAt: at(2) })])
      expect((await listed(world.store, webhook)).map(({ event }) => event)).toEqual(['denied', 'pending'])
      expect(await world.store.notifications.due(at(0), 9)).toEqual([])
      expect(await world.store.notifications.due(at(1), 9)).toHaveLength(2)
      expect(await world.store.notifications.due(at(1), 9, [webhook.id])).toEqual([])
    })

    it('are claimed by one of many, and again once that is over', async () => {
      await using world = await open()
      const { notifications } = world.store
      const webhook = await addWebhook(world.store)
      await notifications.enqueue([deliveryRow(webhook)])
      const [waiting] = (await notifications.due(at(2), 9)) as [DeliveryRow]
      const claims = await Promise.all([1, 2, 3].map(() => notifications.claim(waiting, at(20))))
      const [claimed, ...others] = claims.filter((row) => row !== undefined) as [DeliveryRow]
      expect(others).toEqual([])
      expect(claimed).toEqual({ ...waiting, attempts: 1, dueAt: at(20) })
      expect(await notifications.due(at(19), 9)).toEqual([])
      expect(await notifications.due(at(20), 9)).toEqual([claimed])
      const again = (await notifications.claim(claimed, at(40))) as DeliveryRow
      const outcome = {
        state: 'delivered' as const,
        dueAt: at(21),
        status: 204,
        error: null,
        answer: 'ok',
        endedAt: at(21),
      }
      // Whoever was too slow says nothing any more.
      expect(await notifications.settle(claimed, outcome)).toBe(false)
      expect(await notifications.settle(again, outcome)).toBe(true)
      expect(await notifications.settle(again, outcome)).toBe(false)
      expect(await notifications.claim(again, at(60))).toBeUndefined()
      expect(await listed(await world.reopen(), webhook)).toEqual([{ ...again, ...outcome }])
    })

    it('are listed the newest first, continue after a cursor, and are forgotten some time after their end', async () => {
      await using world = await open()
      const { notifications } = world.store
      const webhook = await addWebhook(world.store)
      const rows = [3, 1, 2, 2].map((second) => deliveryRow(webhook, { createdAt: at(second) }))
      await notifications.enqueue(rows)
      const page = { webhookId: webhook.id, limit: 2 }
      const first = await notifications.deliveries(webhook.fleetId, page)
      const last = first[1] as DeliveryRow
      const second = await notifications.deliveries(webhook.fleetId, { ...page, after: last })
      expect([...first, ...second].map(({ id }) => rows.findIndex((row) => row.id === id))).toEqual([0, 2, 3, 1])
      const claimed = (await notifications.claim(last, at(9))) as DeliveryRow
      await notifications.settle(claimed, { ...claimed, state: 'failed', endedAt: at(10) })
      await notifications.prune(at(10))
      expect(await listed(world.store, webhook)).toHaveLength(4)
      await notifications.prune(at(11))
      expect(await listed(world.store, webhook)).toHaveLength(3)
    })
  })

  it('keeps who is signed in to the pages until then, and no longer', async () => {
    await using world = await open()
    const { owner } = await addFleet(world.store)
    const key = keyRow(owner)
    await world.store.keys.create(key)
    const session = { secretHash: 'ef'.repeat(32), keyId: key.id, expiresAt: at(10) }
    await world.store.pageSessions.create(session, at(1))
    const { pageSessions } = await world.reopen()
    expect(await pageSessions.get(session.secretHash, at(9))).toEqual(session)
    expect(await pageSessions.get(session.secretHash, at(10))).toBeUndefined()
    await pageSessions.create({ ...session, secretHash: '01'.repeat(32), expiresAt: at(20) }, at(10))
    expect(await pageSessions.get(session.secretHash, at(9))).toBeUndefined()
    await pageSessions.remove('01'.repeat(32))
    expect(await pageSessions.get('01'.repeat(32), at(11))).toBeUndefined()
  })
}
