import type { WebhookCreated } from '@cmdop/core'
import { expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'
import { startReceiver } from './receiver.ts'
import { startWorld } from './world.ts'

test('cmdop webhooks adds, tests, lists, shows deliveries and removes', async () => {
  await using world = await startWorld({ machines: 0 })
  await using receiver = await startReceiver()
  const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  const run = async (...words: string[]) => {
    const { code, stdout } = await runCli(['webhooks', ...words, '--json'], env)
    return { code, answer: JSON.parse(stdout) }
  }
  const { answer } = await run('add', receiver.url, '--event', 'pending', '--min-danger', 'low')
  const { id, secret } = answer as WebhookCreated
  expect(secret).toMatch(/^cmdop_webhook_/)
  expect(await run('test', id)).toMatchObject({ code: 0, answer: { state: 'delivered' } })
  receiver.status = 500
  expect(await run('test', id)).toMatchObject({ code: 1, answer: { state: 'failed', status: 500 } })
  expect((await run('deliveries', id)).answer.items).toHaveLength(2)
  expect(await run('disable', id)).toMatchObject({ answer: { enabled: false } })
  expect((await run('list')).answer.items).toMatchObject([{ id, events: ['pending'], enabled: false }])
  expect(await run('remove', id)).toMatchObject({ code: 0 })
  expect((await run('add', receiver.url, '--kind', 'other')).code).toBe(2)
})
