import { expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

test('A relay that is killed before a notification was taken sends it once it is there again, once', async () => {
  await using receiver = await startReceiver(503)
  const relay = { webhooks: { firstWaitMs: 50, timeoutMs: 500 } }
  await using killed = await startWorld({ separateProcesses: true, relay })
  const { id } = await killed.client.webhooks.create({ url: receiver.url })
  const actions = [{ machineId: killed.machine.id, method: 'exec', params: { command: 'echo' } }]
  const asked = await killed.client.approvals.request({ title: 'Say it', reason: 'because', actions })
  await waitFor('it was tried', () => receiver.received.length > 0)
  await killed.relay.kill()
  const before = receiver.received.length
  receiver.status = 204
  await killed.relay.restart()
  await killed.whenOnline(killed.machine)
  const delivery = await waitFor('it is taken', async () => {
    const { items } = await killed.client.webhooks.deliveries(id)
    return items.find(({ state }) => state === 'delivered')
  })
  await killed.client.approvals.deny(asked.id)
  await waitFor('the end is told', () => receiver.received.some(({ body }) => body.includes('approval.denied')))
  const after = receiver.received.slice(before).map(({ headers }) => headers['cmdop-event'])
  expect(after).toEqual(['approval.pending', 'approval.denied'])
  const ids = receiver.received.slice(0, before + 1).map(({ headers }) => headers['cmdop-delivery'])
  expect(new Set(ids)).toEqual(new Set([delivery.id]))
})
