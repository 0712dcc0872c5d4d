import { createHmac } from 'node:crypto'
import type { ApprovableAction } from '@cmdop/protocol'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createMemoryBus } from '../bus/memory-bus.ts'
import type { ApprovalActionRow, ApprovalRow } from '../store/approval-store.ts'
import { addFleet, newId } from '../store/conformance/world.ts'
import type { DeliveryRow, WebhookRow } from '../store/notification-store.ts'
import { openTemporaryStore } from '../store/sqlite/temporary-store.ts'
import { Deliverer } from './deliverer.ts'
import { Poster } from './post.ts'
import { type Received, startReceiver } from './testing/receiver.ts'

const START = Date.UTC(2030, 0, 1)
const SECRET = 'the secret of the webhook'
const COMMAND = 'curl -H "token: hunter2" example.org'
const ARGV = ['curl', '-H', 'token: hunter2', 'example.org']

/** A store with a fleet, and relays that send from it by one clock, which the test moves. */
async function startSending({ timeoutMs = 5000 } = {}) {
  const opened = new AsyncDisposableStack()
  const { store } = opened.use(await openTemporaryStore())
  const { fleet } = await addFleet(store)
  const clock = { now: START }
  const now = () => clock.now
  const bus = opened.use(createMemoryBus())
  const relay = () => {
    const poster = opened.use(new Poster({ allowInsecure: false, timeoutMs, now }))
    const log = pino({ level: 'silent' })
    const publicUrl = () => 'https://relay.example'
    const given = { store, bus, log, poster, publicUrl, timeoutMs, firstWaitMs: 1000, now, random: () => 1 }
    return opened.use(new Deliverer(given))
  }
  const addWebhook = async (url: string, change: Partial<WebhookRow> = {}) => {
    const webhook: WebhookRow = {
      id: newId('whk'),
      fleetId: fleet.id,
      url,
      kind: 'generic',
      secret: SECRET,
      events: ['pending', 'denied'],
      minDanger: 'low',
      includeCommand: false,
      enabled: true,
      createdAt: new Date(START).toISOString(),
      createdById: 'prn_1',
      ...change,
    }
    await store.notifications.createWebhook(webhook)
    return webhook
  }
  const ask = async (change: Partial<ApprovalRow> = {}, action: Partial<ApprovableAction> = {}) => {
    const row = approvalRow(fleet.id, change)
    await store.approvals.create(row, [actionRow(row.id, action)])
    return row.id
  }
  const deny = (id: string) => store.approvals.change(id, () => ({ row: { state: 'denied' as const } }))
  const deliveries = async ({ id: webhookId }: WebhookRow) =>
    (await store.notifications.deliveries(fleet.id, { webhookId, limit: 20 })).toReversed()
  const [one, two] = [relay(), relay()]
  return {
    store,
    clock,
    one,
    two,
    addWebhook,
    ask,
    deny,
    deliveries,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

function approvalRow(fleetId: string, change: Partial<ApprovalRow>): ApprovalRow {
  return {
    id: newId('apr'),
    fleetId,
    state: 'pending',
    title: `${COMMAND} on web-1`,
    reason: 'it deploys',
    danger: 'medium',
    dangerReason: 'It sends data.',
    rule: 'caller',
    requesterId: 'prn_1',
    requesterName: 'Ada',
    requesterKind: 'human',
    personId: 'prn_1',
    lentByIds: [],
    runId: null,
    fleetRunId: null,
    fleetRunGeneration: null,
    agentType: null,
    model: null,
    callId: 'call_1',
    planDigest: 'ab'.repeat(32),
    requirement: [{ from: 'member', n: 1 }],
    fourEyes: false,
    deletes: false,
    editedBy: null,
    editedFrom: null,
    doNotRetry: false,
    createdAt: new Date(START).toISOString(),
    expiresAt: new Date(START + 3_600_000).toISOString(),
    decidedAt: null,
    ...change,
  }
}

function actionRow(approvalId: string, change: Partial<ApprovableAction>): ApprovalActionRow {
  const action = {
    version: 1 as const,
    machineId: 'mac_1',
    method: 'exec',
    command: COMMAND,
    params: null,
    cwd: '/srv',
    environment: [{ name: 'TOKEN', sha256: 'cd'.repeat(32) }],
    words: [],
    files: [],
    restrictions: {},
    effectHash: null,
    ...change,
  }
  const none = { effect: null, callId: null, signed: null, edited: null }
  const names = { machineId: 'mac_1', machineName: 'web-1', digest: 'ef'.repeat(32) }
  return { approvalId, position: 0, ...names, action, state: 'waiting', alike: 0, ...none }
}

describe('a notification', () => {
  test('is signed, and says what is asked and where to decide, but not the command', async () => {
    await using receiver = await startReceiver()
    await using sending = await startSending()
    const webhook = await sending.addWebhook(`${receiver.url}/hook`)
    const id = await sending.ask()
    await sending.one.idle()
    const [got] = receiver.received
    const { headers, body } = got as Received
    expect(headers).toMatchObject({ 'cmdop-event': 'approval.pending', 'content-type': 'application/json' })
    const timestamp = String(headers['cmdop-timestamp'])
    expect(Number(timestamp)).toBe(START / 1000)
    const signature = createHmac('sha256', SECRET).update(`${timestamp}.${body}`).digest('hex')
    expect(headers['cmdop-signature']).toBe(`v1=${signature}`)
    expect(JSON.parse(body)).toMatchObject({
      event: 'approval.pending',
      link: `https://relay.example/approvals/${id}`,
      approval: { id, title: 'exec on web-1', danger: 'medium', machines: ['web-1'], plan_digest: 'ab'.repeat(32) },
    })
    expect(body).not.toMatch(/hunter2|TOKEN/)
    expect(await sending.deliveries(webhook)).toMatchObject([{ state: 'delivered', status: 204, attempts: 1 }])
  })

  test.each<[string, string, Partial<ApprovableAction>]>([
    ['a part of the command', COMMAND.slice(0, -3), {}],
    ['the words of a command, not as the shell quotes them', ARGV.join(' '), { command: ARGV }],
    [
      'a command of which an effect is approved',
      COMMAND,
      { method: 'effect.apply', command: null, params: { hash: 'ab' } },
    ],
    ['the prompt of an operator', 'Log in with hunter2', { method: 'ask', command: null, params: { prompt: 'x' } }],
  ])('says nothing of the title of a fleet run, such as %s', async (_, title, action) => {
    await using receiver = await startReceiver()
    await using sending = await startSending()
    await sending.addWebhook(receiver.url)
    await sending.ask({ title: `${title} (wave 2, 1 machine)`, callId: null, fleetRunId: 'run_1' }, action)
    await sending.one.idle()
    const { body } = receiver.received[0] as Received
    expect(body).not.toContain('hunter2')
    expect(JSON.parse(body)).toMatchObject({ approval: { title: `${action.method ?? 'exec'} on web-1` } })
  })

  test('has the command only where that is asked for', async () => {
    await using receiver = await startReceiver()
    await using sending = await startSending()
    await sending.addWebhook(receiver.url, { includeCommand: true })
    await sending.ask()
    await sending.one.idle()
    const { approval } = JSON.parse(receiver.received[0]?.body ?? '')
    expect(approval).toMatchObject({ title: `${COMMAND} on web-1`, commands: [COMMAND] })
  })

  test('comes once for each state, however many relays send', async () => {
    await using receiver = await startReceiver()
    await using sending = await startSending()
    await sending.addWebhook(receiver.url)
    const ids = await Promise.all(Array.from({ length: 12 }, () => sending.ask()))
    await Promise.all([sending.one.idle(), sending.two.idle()])
    for (const id of ids) await sending.deny(id)
    await Promise.all([sending.one.idle(), sending.two.idle()])
    const told = receiver.received.map(({ body }) => {
      const { event, approval } = JSON.parse(body)
      return `${approval.id} ${event}`
    })
    expect(told.toSorted()).toEqual(ids.flatMap((id) => [`${id} approval.denied`, `${id} approval.pending`]).toSorted())
    expect(new Set(receiver.received.map(({ headers }) => headers['cmdop-delivery'])).size).toBe(24)
  })

  test('goes only where it is wanted: by state, danger, and whether it is switched on', async () => {
    await using receiver = await startReceiver()
    await using sending = await startSending()
    await sending.addWebhook(`${receiver.url}/all`)
    await sending.addWebhook(`${receiver.url}/denied`, { events: ['denied'] })
    await sending.addWebhook(`${receiver.url}/high`, { minDanger: 'high' })
    await sending.addWebhook(`${receiver.url}/off`, { enabled: false })
    await sending.ask()
    await sending.one.idle()
    expect(receiver.received.map(({ path }) => path)).toEqual(['/all'])
    await sending.ask({ danger: 'critical' })
    await sending.one.idle()
    expect(receiver.received.map(({ path }) => path).toSorted()).toEqual(['/all', '/all', '/high'])
  })

  test('that waits for another try goes nowhere any more once its webhook is switched off', async () => {
    await using receiver = await startReceiver([{ status: 503 }])
    await using sending = await startSending()
    const webhook = await sending.addWebhook(receiver.url)
    await sending.ask()
    await sending.one.idle()
    await sending.store.notifications.enableWebhook(webhook.fleetId, webhook.id, false)
    sending.clock.now += 1000
    await sending.one.idle()
    expect(receiver.received).toHaveLength(1)
    expect(await sending.deliveries(webhook)).toMatchObject([{ state: 'failed', error: 'disabled', status: null }])
  })

  test('is tried again, the same, later and later, until it is taken', async () => {
    await using receiver = await startReceiver([{ status: 500, body: 'oops' }, { status: 429 }, { status: 200 }])
    await using sending = await startSending()
    const webhook = await sending.addWebhook(receiver.url)
    await sending.ask()
    const due = async () => {
      await sending.one.idle()
      const [delivery] = await sending.deliveries(webhook)
      return [delivery?.state, delivery?.status, Date.parse(delivery?.dueAt ?? '') - sending.clock.now]
    }
    expect(await due()).toEqual(['waiting', 500, 1000])
    sending.clock.now += 999
    expect(await due()).toEqual(['waiting', 500, 1])
    sending.clock.now += 1
    expect(await due()).toEqual(['waiting', 429, 2000])
    sending.clock.now += 2000
    expect(await due()).toEqual(['delivered', 200, 0])
    const [first, , third] = receiver.received
    expect(receiver.received).toHaveLength(3)
    expect(third?.body).toBe(first?.body)
    expect(third?.headers['cmdop-delivery']).toBe(first?.headers['cmdop-delivery'])
    expect(third?.headers['cmdop-timestamp']).not.toBe(first?.headers['cmdop-timestamp'])
  })

  test('is given up after many tries, and where another try would be the same', async () => {
    for (const status of [400, 401, 404, 410]) {
      await using receiver = await startReceiver([{ status, body: `no ${SECRET} at /hook/path` }])
      await using sending = await startSending()
      const webhook = await sending.addWebhook(`${receiver.url}/hook/path`)
      await sending.ask()
      await sending.one.idle()
      const answer = 'no [...] at [...]'
      expect(await sending.deliveries(webhook)).toMatchObject([{ state: 'failed', status, error: 'status', answer }])
    }
    await using receiver = await startReceiver([{ status: 503 }])
    await using sending = await startSending()
    const webhook = await sending.addWebhook(receiver.url, { events: ['denied'] })
    await sending.deny(await sending.ask())
    for (let tries = 0; tries < 20; tries += 1) {
      await sending.one.idle()
      sending.clock.now += 3_600_000
    }
    const [delivery] = await sending.deliveries(webhook)
    expect(delivery).toMatchObject({ state: 'failed', status: 503 })
    expect(receiver.received.length).toBeLessThan(13)
  })

  test('that somebody has to decide is not tried any more once nobody can', async () => {
    await using receiver = await startReceiver([{ status: 503 }])
    await using sending = await startSending()
    const webhook = await sending.addWebhook(receiver.url)
    await sending.ask({ expiresAt: new Date(START + 1500).toISOString() })
    await sending.one.idle()
    sending.clock.now += 1000
    await sending.one.idle()
    expect(await sending.deliveries(webhook)).toMatchObject([{ state: 'failed', attempts: 2 }])
  })

  test('follows no redirect', async () => {
    await using target = await startReceiver()
    await using receiver = await startReceiver([{ status: 307, headers: { location: target.url } }])
    await using sending = await startSending()
    const webhook = await sending.addWebhook(receiver.url)
    await sending.ask()
    await sending.one.idle()
    expect(target.received).toEqual([])
    expect(await sending.deliveries(webhook)).toMatchObject([{ state: 'failed', status: 307, error: 'redirect' }])
  })

  test('goes to no address that is refused, and waits for no receiver too long', async () => {
    await using silent = await startReceiver([undefined])
    await using sending = await startSending({ timeoutMs: 100 })
    const refused = await sending.addWebhook('https://169.254.169.254/latest/meta-data')
    const plain = await sending.addWebhook('http://example.org/')
    const late = await sending.addWebhook(silent.url)
    await sending.ask()
    await sending.one.idle()
    for (const webhook of [refused, plain])
      expect(await sending.deliveries(webhook)).toMatchObject([{ state: 'failed', error: 'address_refused' }])
    expect(await sending.deliveries(late)).toMatchObject([{ state: 'waiting', error: 'timeout', status: null }])
  })

  test('is not held up by a receiver that never answers', async () => {
    await using silent = await startReceiver([undefined])
    await using receiver = await startReceiver()
    await using sending = await startSending({ timeoutMs: 300 })
    await sending.addWebhook(silent.url)
    const webhook = await sending.addWebhook(receiver.url)
    for (let count = 0; count < 20; count += 1) await sending.ask()
    await sending.one.idle()
    expect(receiver.received).toHaveLength(20)
    const [last] = (await sending.deliveries(webhook)).toReversed()
    expect(last).toMatchObject({ state: 'delivered', attempts: 1 })
    expect(silent.received).toHaveLength(20)
  })

  test('that the end of a relay breaks off is due again at once', async () => {
    await using silent = await startReceiver([undefined])
    await using sending = await startSending()
    const webhook = await sending.addWebhook(silent.url)
    await sending.ask()
    await sending.one.look()
    await sending.one[Symbol.asyncDispose]()
    expect(silent.received).toHaveLength(1)
    const dueAt = new Date(START).toISOString()
    expect(await sending.deliveries(webhook)).toMatchObject([{ state: 'waiting', attempts: 1, dueAt }])
  })

  test('that a relay took and never ended is taken up by another', async () => {
    await using receiver = await startReceiver([{ status: 503 }, { status: 200 }])
    await using sending = await startSending()
    const webhook = await sending.addWebhook(receiver.url)
    await sending.ask()
    await sending.one.idle()
    sending.clock.now += 1000
    const [due] = await sending.store.notifications.due(new Date(sending.clock.now).toISOString(), 9)
    const leaseEnd = new Date(sending.clock.now + 7000).toISOString()
    // As a relay leaves it that is killed while it tries.
    expect(await sending.store.notifications.claim(due as DeliveryRow, leaseEnd)).toBeDefined()
    sending.clock.now += 6999
    await sending.two.idle()
    expect(receiver.received).toHaveLength(1)
    sending.clock.now += 1
    await sending.two.idle()
    expect(receiver.received).toHaveLength(2)
    expect(await sending.deliveries(webhook)).toMatchObject([{ state: 'delivered', attempts: 3 }])
  })
})
