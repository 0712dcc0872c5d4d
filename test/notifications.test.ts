import type { Client, ApprovalInfo } from '@cmdop/core'
import { verifyNotification } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Received, startReceiver } from './receiver.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ relay: { webhooks: { firstWaitMs: 20 } } })
})
afterAll(() => world[Symbol.asyncDispose]())

/** Asks people about a command. */
function ask(client: Client, machineId: string, command = 'echo secret-command'): Promise<ApprovalInfo> {
  const actions = [{ machineId, method: 'exec', params: { command } }]
  return client.approvals.request({ title: 'Say it', reason: 'because', actions })
}

describe('a webhook', () => {
  test('gets signed notifications of a question and of its end, which are never the decision', async () => {
    await using receiver = await startReceiver()
    const { id, secret } = await world.client.webhooks.create({ url: receiver.url })
    const asked = await ask(world.client, world.machine.id)
    await waitFor('the question is told', () => receiver.received.length === 1)
    expect((await world.client.approvals.get(asked.id)).state).toBe('pending')
    await world.client.approvals.deny(asked.id, { reason: 'no' })
    await waitFor('its end is told', () => receiver.received.length === 2)
    const [first, second] = receiver.received as [Received, Received]
    const told = await verifyNotification(first.body, first.headers, { secret })
    expect(told).toMatchObject({
      event: 'approval.pending',
      link: `${world.relay.url}/approvals/${asked.id}`,
      approval: { title: 'Say it', requester: { name: 'owner' }, plan_digest: asked.planDigest },
    })
    expect(first.body).not.toContain('secret-command')
    expect(await verifyNotification(second.body, second.headers, { secret })).toMatchObject({
      event: 'approval.denied',
      approval: { decided_by: ['owner'] },
    })
    await waitFor('both are noted', async () => {
      const { items } = await world.client.webhooks.deliveries(id)
      return items.length === 2 && items.every(({ state }) => state === 'delivered')
    })
    await world.client.webhooks.remove(id)
    await expect(world.client.webhooks.deliveries(id)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('holds nothing of a command, also of what the policy says of it, unless it is asked for', async () => {
    const { version } = await world.client.policy.get()
    await world.client.policy.set({ policy: { mode: 'default' }, version })
    await using bare = await startReceiver()
    await using slack = await startReceiver()
    await using whole = await startReceiver()
    const { webhooks } = world.client
    const made = [
      await webhooks.create({ url: bare.url }),
      await webhooks.create({ url: slack.url, kind: 'slack' }),
      await webhooks.create({ url: whole.url, includeCommand: true }),
    ]
    const receivers = [bare, slack, whole]
    const refused = await world.handle.exec('git --s3cret status').then(undefined, (error: unknown) => error)
    const { approvalId } = (refused as { details: { approvalId: string } }).details
    const { reason, dangerReason } = await world.client.approvals.get(approvalId)
    expect(`${reason} ${dangerReason}`).toContain('s3cret')
    await waitFor('all are told', () => receivers.every(({ received }) => received.length === 1))
    expect(bare.received[0]?.body).not.toContain('s3cret')
    expect(slack.received[0]?.body).not.toContain('s3cret')
    expect(JSON.parse(bare.received[0]?.body ?? '')).toMatchObject({
      approval: { danger: expect.any(String), reason: '' },
    })
    expect(JSON.parse(whole.received[0]?.body ?? '')).toMatchObject({
      approval: { reason, danger_reason: dangerReason },
    })
    for (const { id } of made) await webhooks.remove(id)
    await world.client.policy.set({ policy: { mode: 'bypass' }, version: version + 1 })
  })

  test('tells a body that was changed, another secret and an old one from its own', async () => {
    await using receiver = await startReceiver()
    const { id, secret } = await world.client.webhooks.create({ url: receiver.url })
    expect(await world.client.webhooks.test(id)).toMatchObject({ state: 'delivered', status: 204, approvalId: null })
    const [{ body, headers }] = receiver.received as [Received]
    expect(await verifyNotification(body, headers, { secret })).toMatchObject({ event: 'test', approval: null })
    const refused = { code: 'auth' }
    await expect(verifyNotification(`${body} `, headers, { secret })).rejects.toMatchObject(refused)
    await expect(verifyNotification(body, headers, { secret: `${secret}x` })).rejects.toMatchObject(refused)
    await expect(verifyNotification(body, {}, { secret })).rejects.toMatchObject(refused)
    const later = { secret, now: Date.now() + 301_000 }
    await expect(verifyNotification(body, headers, later)).rejects.toMatchObject(refused)
    const moved = { ...headers, 'cmdop-timestamp': String(Number(headers['cmdop-timestamp']) + 1) }
    await expect(verifyNotification(body, moved, { secret })).rejects.toMatchObject(refused)
    await world.client.webhooks.remove(id)
  })

  test('shows neither its secret nor its path again, in no answer and no audit row', async () => {
    const url = 'https://hooks.example/services/very-secret?token=very-secret'
    const { id, secret, ...shown } = await world.client.webhooks.create({ url, kind: 'slack', minDanger: 'high' })
    expect(shown).toMatchObject({ url: 'https://hooks.example/...', kind: 'slack', minDanger: 'high', enabled: true })
    const listed = await world.client.webhooks.list()
    const changed = await world.client.webhooks.update(id, { enabled: false })
    expect(changed).toEqual({ id, ...shown, enabled: false })
    const store = await world.openStore()
    const audit = await store.audit.list((await world.client.me()).fleetId, { limit: 500 })
    expect(JSON.stringify([listed, changed, audit])).not.toMatch(new RegExp(`very-secret|${secret}`))
    expect(audit.filter(({ row }) => row.action === 'fleet.configure').length).toBeGreaterThan(3)
    await world.client.webhooks.remove(id)
  })

  test('is refused where what is sent could be read, or reach what gives away credentials', async () => {
    for (const url of ['http://hooks.example/x', 'https://169.254.169.254/', 'https://[fd00:ec2::254]/', 'ftp://x/'])
      await expect(world.client.webhooks.create({ url })).rejects.toMatchObject({ code: 'validation' })
  })

  test('is of owners and admins, and of their own fleet', async () => {
    for (const issue of [{ role: 'member' }, { role: 'viewer' }, { role: 'admin', kind: 'ai' }] as const) {
      const { rawToken: token } = await world.client.keys.issue({ name: 'other', ...issue })
      const other = world.connect({ token })
      await expect(other.webhooks.list()).rejects.toMatchObject({ code: 'permission' })
      const created = other.webhooks.create({ url: 'https://hooks.example' })
      await expect(created).rejects.toMatchObject({ code: 'permission' })
    }
    await expect(world.client.webhooks.test('whk_of_nobody')).rejects.toMatchObject({ code: 'not_found' })
  })
})
