import { join } from 'node:path'
import { verifyNotification } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { invitePerson } from './people.ts'
import { startReceiver } from './receiver.ts'
import { endedRun, NEVER, ranOnce } from './schedule-runs.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ operator: { env: {} }, relay: { webhooks: { firstWaitMs: 20 } } })
})
afterAll(() => world[Symbol.asyncDispose]())

const plain = { name: 'plain', cronExpr: NEVER, command: 'echo done' }

describe('a schedule acts for who wrote it', () => {
  test('with the rights that one has when it fires, and says so when they are gone', async () => {
    const person = await invitePerson(world, 'ann')
    const { id } = await person.client.schedules.create(plain)
    expect(await ranOnce(world.client, id)).toMatchObject({ status: 'success' })
    // Being signed in may end.
    await person.client.login.revoke(person.sessionId)
    expect(await ranOnce(world.client, id)).toMatchObject({ status: 'success' })
    await world.client.members.setRole(person.id, 'viewer')
    const lowered = await ranOnce(world.client, id)
    expect(lowered).toMatchObject({ status: 'failed', errorCode: 'permission', counts: { denied: 1 } })
    await world.client.members.remove(person.id)
    expect(await ranOnce(world.client, id)).toMatchObject({ status: 'failed', errorCode: 'auth', commandCount: 0 })
    const view = await world.client.schedules.get(id)
    expect(view).toMatchObject({
      actsForId: person.id,
      lastStatus: 'failed',
      lastError: expect.stringContaining('no member'),
    })
    const rows = await world.client.audit.getLogs({ principalId: id })
    expect(
      rows.items.map(({ action, decision, code, principalKind }) => [action, decision, code, principalKind]),
    ).toEqual(
      expect.arrayContaining([
        ['exec', 'allow', null, 'schedule'],
        ['exec', 'deny', 'permission', 'schedule'],
        ['schedule.run', 'deny', 'auth', 'schedule'],
      ]),
    )
    expect(rows.items.find(({ decision }) => decision === 'allow')?.onBehalfOf).toBe(person.id)
    // Who changes what it does is who it acts for.
    const { id: me } = { id: (await world.client.me()).principalId }
    expect(await world.client.schedules.update(id, { name: 'only its name' })).toMatchObject({ actsForId: person.id })
    expect(await world.client.schedules.update(id, { command: 'echo mine' })).toMatchObject({ actsForId: me })
    expect((await ranOnce(world.client, id)).results).toMatchObject([{ output: 'mine\n' }])
  })

  test('within the limits of the key, and no longer than that', async () => {
    const { keys } = world.client
    const all = '*' as const
    const scopes = [
      { actions: ['schedule.*'], machines: all },
      { actions: ['machine.exec'], machines: { names: ['other-*'] } },
    ]
    const { id: keyId, rawToken } = await keys.issue({ name: 'narrow', role: 'member', scopes })
    const limited = world.connect({ token: rawToken })
    const { id } = await limited.schedules.create(plain)
    expect(await ranOnce(limited, id)).toMatchObject({ status: 'failed', errorCode: 'permission' })
    await keys.revoke(keyId)
    expect(await ranOnce(world.client, id)).toMatchObject({ status: 'failed', errorCode: 'auth' })
  })

  test('and goes on with the key that takes the place of its own', async () => {
    const { keys } = world.client
    const { id: keyId, rawToken } = await keys.issue({ name: 'old', role: 'member' })
    const { id } = await world.connect({ token: rawToken }).schedules.create(plain)
    await keys.rotate(keyId, { overlapSeconds: 0 })
    expect(await ranOnce(world.client, id)).toMatchObject({ status: 'success' })
  })

  test('and what runs ends when the rights do', async () => {
    const { keys } = world.client
    const mark = newMark()
    const { id: keyId, rawToken } = await keys.issue({ name: 'short', role: 'member' })
    const { id } = await world
      .connect({ token: rawToken })
      .schedules.create({ ...plain, command: `: ${mark}; sleep 1000` })
    const { jobId } = await world.client.schedules.trigger(id)
    await whenRunning(mark)
    await keys.revoke(keyId)
    await whenGone(mark, 60_000)
    expect(await endedRun(world.client, id, jobId)).toMatchObject({ status: 'failed', errorCode: 'auth' })
  })

  test('and a run that waits keeps the rights with which its work was written', async () => {
    const { keys, schedules } = world.client
    const mark = newMark()
    const { id: keyId, rawToken } = await keys.issue({ name: 'former', role: 'member' })
    const work = { ...plain, command: `: ${mark}; sleep 1000`, overlap: 'queue' as const }
    const { id } = await world.connect({ token: rawToken }).schedules.create(work)
    const jobs = [await schedules.trigger(id), await schedules.trigger(id)]
    await whenRunning(mark)
    await schedules.update(id, { command: 'echo mine' })
    await keys.revoke(keyId)
    for (const { jobId } of jobs)
      expect(await endedRun(world.client, id, jobId)).toMatchObject({ status: 'failed', errorCode: 'auth' })
    await whenGone(mark, 60_000)
    expect((await ranOnce(world.client, id)).results).toMatchObject([{ output: 'mine\n' }])
  })

  test('and an AI operator writes and runs none', async () => {
    const { rawToken } = await world.client.keys.issue({ name: 'ai', kind: 'ai', role: 'admin' })
    const ai = world.connect({ token: rawToken })
    await expect(ai.schedules.create(plain)).rejects.toMatchObject({ code: 'permission' })
    const { id } = await world.client.schedules.create(plain)
    await expect(ai.schedules.update(id, { command: 'true' })).rejects.toMatchObject({ code: 'permission' })
    await expect(ai.schedules.trigger(id)).rejects.toMatchObject({ code: 'permission' })
  })
})

test('people are asked where a policy says so: the run is refused, or waits as long as it says', async () => {
  const { policy, schedules, approvals } = world.client
  const { version } = await policy.get()
  const file = join(await world.folder(), 'scheduled')
  const { id } = await schedules.create({ ...plain, command: `touch ${file}` })
  const { version: asked } = await policy.set({ policy: { mode: 'default' }, version })
  const refused = await ranOnce(world.client, id)
  expect(refused).toMatchObject({ status: 'failed', errorCode: 'approval_required' })
  expect(refused.results).toMatchObject([{ status: 'denied', approvalId: expect.stringMatching(/^apr_/) }])
  await schedules.update(id, { approvalWaitSeconds: 300 })
  const { jobId } = await schedules.trigger(id)
  const approvalId = await waitFor(
    'people are asked',
    async () => {
      const { items } = await approvals.list({ state: 'pending' })
      return items.find((item) => item.id !== refused.results[0]?.approvalId)?.id
    },
    60_000,
  )
  expect(await schedules.run(id, jobId)).toMatchObject({ status: 'running' })
  const { planDigest } = await approvals.get(approvalId)
  await approvals.approve(approvalId, { planDigest })
  expect(await endedRun(world.client, id, jobId)).toMatchObject({ status: 'success' })
  await policy.set({ policy: { mode: 'bypass' }, version: asked })
})

test('a prompt is asked of the operator on the machine, and its answer fits the schema', async () => {
  const { schedules } = world.client
  const outputSchema = { type: 'object', properties: { hostname: { type: 'string' } }, required: ['hostname'] }
  const { id } = await schedules.create({ name: 'ask', cronExpr: NEVER, prompt: 'Which host is this?', outputSchema })
  const run = await ranOnce(world.client, id)
  expect(run).toMatchObject({ status: 'success' })
  expect(run.results).toMatchObject([{ status: 'ok', exitCode: null, answer: { hostname: expect.any(String) } }])
  expect(await schedules.update(id, { command: 'true' })).toMatchObject({ prompt: null, outputSchema: null })
})

test('webhooks are told how runs end, and nothing of what a command wrote', async () => {
  await using receiver = await startReceiver()
  const { webhooks, schedules } = world.client
  const { id: webhook, secret } = await webhooks.create({ url: receiver.url })
  const notify = { webhookIds: [webhook], on: ['success', 'failure'] as ('success' | 'failure')[] }
  const { id } = await schedules.create({ ...plain, command: 'echo very-secret-output; exit 4', notify })
  const { id: runId } = await ranOnce(world.client, id)
  await waitFor('it is told', () => receiver.received.length === 1, 60_000)
  const [told] = receiver.received
  const notification = await verifyNotification(told?.body ?? '', told?.headers ?? {}, { secret })
  expect(notification).toMatchObject({
    event: 'schedule.failure',
    approval: null,
    schedule: { id, run_id: runId, status: 'failed', counts: { failed: 1 }, missed: 0 },
  })
  expect(told?.body).not.toContain('very-secret-output')
  await waitFor('it is noted', async () => (await webhooks.deliveries(webhook)).items[0]?.state === 'delivered', 60_000)
  expect((await webhooks.deliveries(webhook)).items).toMatchObject([
    { approvalId: null, scheduleRunId: runId, event: 'schedule.failure' },
  ])
})
