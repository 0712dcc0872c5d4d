import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
})
afterAll(() => world[Symbol.asyncDispose]())

async function send(path: string, { key, body, method = 'POST' }: { key?: string; body?: unknown; method?: string }) {
  const answer = await fetch(`${world.relay.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${world.relay.firstKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const { error } = z
    .object({ error: z.object({ code: z.string() }).optional() })
    .parse(text === '' ? {} : JSON.parse(text))
  return { status: answer.status, text, code: error?.code, headers: answer.headers }
}

async function membersPath(): Promise<string> {
  return `/api/fleets/${(await world.client.me()).fleetId}/members`
}

test('a change that is sent twice with one key is done once, and has the same answer', async () => {
  const [path, key] = [await membersPath(), randomUUID()]
  const body = { email: `${randomUUID()}@example.org` }
  const first = await send(path, { key, body })
  const second = await send(path, { key, body })
  expect(first.status).toBe(201)
  expect({ status: second.status, text: second.text }).toEqual({ status: 201, text: first.text })
  expect(second.headers.get('idempotent-replayed')).toBe('true')
  expect((await send(path, { key: randomUUID(), body })).code).toBe('conflict')
})

test('however many come at once, one is done', async () => {
  const [path, key] = [await membersPath(), randomUUID()]
  const body = { email: `${randomUUID()}@example.org` }
  const answers = await Promise.all(Array.from({ length: 8 }, () => send(path, { key, body })))
  expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0)
  for (const { status, code } of answers)
    expect([status, code]).toEqual(status === 201 ? [201, undefined] : [503, 'unavailable'])
  expect(new Set(answers.filter(({ status }) => status === 201).map(({ text }) => text)).size).toBe(1)
})

test('an answer without a body comes again', async () => {
  const path = await membersPath()
  const { userId } = await world.client.members.add({ email: `${randomUUID()}@example.org` })
  const key = randomUUID()
  const remove = () => send(`${path}/${userId}`, { key, method: 'DELETE' })
  expect([(await remove()).status, (await remove()).status]).toEqual([204, 204])
})

test('the same key for another call is a conflict, and what is no key is refused', async () => {
  const [path, key] = [await membersPath(), randomUUID()]
  await send(path, { key, body: { email: `${randomUUID()}@example.org` } })
  expect((await send(path, { key, body: { email: `${randomUUID()}@example.org` } })).code).toBe('conflict')
  expect((await send(path, { key: 'a b', body: {} })).code).toBe('validation')
  expect((await send('/api/login', { key, body: { email: 'a@example.org', code: '1' } })).code).toBe('validation')
})

test('what was refused may be sent again with its key', async () => {
  const [path, key] = [await membersPath(), randomUUID()]
  const email = `${randomUUID()}@example.org`
  const { userId } = await world.client.members.add({ email })
  expect((await send(path, { key, body: { email } })).code).toBe('conflict')
  await world.client.members.remove(userId)
  expect((await send(path, { key, body: { email } })).status).toBe(201)
})

test('a secret is shown once, and kept nowhere: the second answer says that it was done', async () => {
  const { fleetId } = await world.client.me()
  const [path, key] = [`/api/fleets/${fleetId}/api-keys`, randomUUID()]
  const [name] = [randomUUID()]
  const first = await send(path, { key, body: { name } })
  const { raw_token } = z.object({ raw_token: z.string() }).parse(JSON.parse(first.text))
  expect(await send(path, { key, body: { name } })).toMatchObject({ code: 'conflict' })
  const named = (await Array.fromAsync(world.client.keys.iter())).filter((each) => each.name === name)
  expect(named).toHaveLength(1)
  const store = await world.openStore()
  const { principalId } = await world.client.me()
  const kept = await store.idempotency.claim({ principalId, key, digest: 'x', at: new Date().toISOString() })
  expect(kept).toMatchObject({ status: 201, body: null })
  expect(JSON.stringify(kept)).not.toContain(raw_token)
})
