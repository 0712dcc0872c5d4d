import { expect, test } from 'vitest'
import { startWorld } from './world.ts'
import { waitFor } from './wait-for.ts'

test('a command runs at its times on every machine', async () => {
  await using world = await startWorld({ machines: 2 })
  const { fleet_id: fleet } = await world.client.me()
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${world.relay.url}/api/fleets/${fleet}/schedules${path}`, {
      method,
      headers: { authorization: `Bearer ${world.relay.firstKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: answer.status === 204 ? null : await answer.json() }
  }
  const { body: made, status } = await call('POST', '', { name: 'each second', cron_expr: '* * * * * *', command: 'echo hello; date' })
  expect(made).toMatchObject({ name: 'each second' })
  expect(status).toBe(201)
  const runs = await waitFor('three ran', async () => {
    const { body } = await call('GET', `/${made.id}/runs`)
    return body.items.filter((r: any) => r.status === 'success').length >= 3 && body.items
  })
  console.info(runs)
  const detail = await call('GET', `/${made.id}/runs/${runs[1].id}`)
  console.info(detail.body)
})
