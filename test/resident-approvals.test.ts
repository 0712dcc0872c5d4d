import { scriptedModel } from '@cmdop/agent/testing'
import { expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

test('The operator on a machine waits for people where the policy asks, and is held to what they approved', async () => {
  const run = (command: string) => ({ calls: [{ tool: 'run_command', input: { command } }] })
  const model = scriptedModel([
    run('echo one > /tmp/cmdop-resident; cat /tmp/cmdop-resident'),
    run('touch /tmp/no'),
    { text: 'done' },
  ])
  await using world = await startWorld({ operator: { model } })
  await world.client.policy.set({ policy: { mode: 'default' }, version: 0 })
  const events: unknown[] = []
  const asked = (async () => {
    for await (const frame of world.client.machines.ask(world.machine.id, 'Write one.'))
      events.push(frame.type === 'event' ? { event: frame.event, ...frame.payload } : { ...frame })
  })()
  const question = async () => {
    const { items } = await world.client.approvals.list({ state: 'pending' })
    return items[0] === undefined ? undefined : world.client.approvals.get(items[0].id)
  }
  const first = await waitFor('it is asked', question)
  expect(first).toMatchObject({ requesterKind: 'ai', rule: expect.stringContaining('mode:default'), state: 'pending' })
  await world.client.approvals.approve(first.id, { planDigest: first.planDigest })
  const second = await waitFor('it is asked again', question)
  expect(second.actions[0]?.text).toBe('touch /tmp/no')
  await world.client.approvals.deny(second.id, { reason: 'Not there.' })
  await asked
  const texts = model.seen.at(-1)?.toolResults.map(({ text }) => text)
  expect(texts?.[0]).toContain('one')
  expect(texts?.[1]).toContain('Not there.')
  expect(events).toContainEqual(expect.objectContaining({ event: 'approval', state: 'pending' }))
  expect(events.at(-1)).toMatchObject({ type: 'done', success: true, text: 'done' })
})

test('The operator on a machine is held to the policy of its ask, which only tightens', async () => {
  const model = scriptedModel([
    { calls: [{ tool: 'run_command', input: { command: 'date' } }] },
    { text: 'done' },
    { text: 'yes' },
  ])
  await using world = await startWorld({ operator: { model } })
  const rule = { id: 'no-dates', decision: 'deny', command: { name: 'date' }, match: ['date'], notMatch: ['uptime'] }
  const ask = async (rules: Record<string, unknown>[]) =>
    (await Array.fromAsync(world.client.machines.ask(world.machine.id, 'When?', { policy: { rules } }))).at(-1)
  expect(await ask([rule])).toMatchObject({ type: 'done', success: true })
  expect(model.seen.at(-1)?.toolResults[0]?.text).toContain('run:no-dates')
  await expect(ask([{ ...rule, decision: 'allow' }])).rejects.toMatchObject({ code: 'validation' })
})
