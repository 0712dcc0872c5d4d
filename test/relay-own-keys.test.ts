import type { Client } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { invitePerson, type Person } from './people.ts'
import { startWorld, type World } from './world.ts'

let world: World
let ann: Person
let ben: Person
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
  ann = await invitePerson(world, 'ann')
  ben = await invitePerson(world, 'ben', 'viewer')
})
afterAll(() => world[Symbol.asyncDispose]())

/** A key that the owner has made for a member. */
function keyOf({ id }: Person, role: 'member' | 'viewer' = 'viewer') {
  return world.client.keys.issue({ name: 'laptop', kind: 'human', role, member: id })
}

async function idsOf(client: Client, credential: 'key' | 'session' = 'key'): Promise<string[]> {
  return (await client.keys.list({ of: 'me', credential })).items.map(({ id }) => id)
}

describe('a member', () => {
  test('sees, rotates and revokes the keys that are his, and no others', async () => {
    const [own, others] = [await keyOf(ann), await keyOf(ben)]
    expect(await idsOf(ann.client)).toEqual([own.id])
    expect(await codeOf(() => ann.client.keys.list())).toBe('permission')
    expect(await codeOf(() => ann.client.keys.issue({ name: 'more', role: 'viewer' }))).toBe('permission')
    for (const act of [
      () => ann.client.keys.rotate(others.id),
      () => ann.client.keys.revoke(others.id),
      () => ben.client.keys.revoke(own.id),
    ])
      expect(await codeOf(act)).toBe('permission')
    const next = await ann.client.keys.rotate(own.id)
    expect(await codeOf(() => world.connect({ token: own.rawToken }).me())).toBe('auth')
    await ann.client.keys.revoke(next.id)
    expect(await codeOf(() => world.connect({ token: next.rawToken }).me())).toBe('auth')
    expect(await codeOf(() => world.connect({ token: others.rawToken }).me())).toBe('ok')
    const { items } = await world.client.audit.getLogs({ principalId: ann.id, action: 'key.own' })
    expect(items).not.toEqual([])
  })

  test('ends a session of his from another one, and nobody else’s', async () => {
    const { code } = await ann.client.login.ownCode()
    const { token, sessionId: elsewhere } = await world.client.login.signIn({ email: ann.email, code })
    expect(await idsOf(ann.client, 'session')).toContain(elsewhere)
    expect(await codeOf(() => ann.client.keys.revoke(ben.sessionId))).toBe('permission')
    await ann.client.keys.revoke(elsewhere)
    expect(await codeOf(() => world.connect({ token }).me())).toBe('auth')
    expect(await codeOf(() => ben.client.me())).toBe('ok')
  })

  test('does so only with a right that is not less than the key’s, and never as a program', async () => {
    const [mighty, less] = [await keyOf(ann, 'member'), await keyOf(ann)]
    const small = world.connect({ token: less.rawToken })
    expect(await codeOf(() => small.keys.revoke(mighty.id))).toBe('permission')
    expect(await codeOf(() => small.keys.rotate(mighty.id))).toBe('permission')
    const { rawToken: token, id } = await world.client.keys.issue({ name: 'robot', kind: 'ai', role: 'member' })
    const robot = world.connect({ token })
    expect(await codeOf(() => robot.keys.list({ of: 'me' }))).toBe('permission')
    expect(await codeOf(() => robot.keys.rotate(id))).toBe('permission')
  })
})

test('Nobody takes over what acts for somebody else by rotating its key, and an admin can still revoke it', async () => {
  const [gus, hal] = [await invitePerson(world, 'gus', 'admin'), await invitePerson(world, 'hal', 'admin')]
  const operator = await gus.client.keys.issue({ name: 'operator', kind: 'ai', role: 'member' })
  const ownService = await gus.client.keys.issue({ name: 'service', kind: 'service', role: 'admin' })
  const service = await hal.client.keys.issue({ name: 'service', kind: 'service', role: 'admin' })
  const asService = world.connect({ token: service.rawToken })
  for (const { keys } of [asService, hal.client, world.client, world.connect({ token: ownService.rawToken })])
    expect(await codeOf(() => keys.rotate(operator.id))).toBe('permission')
  const issued = await asService.keys.issue({ name: 'sub', kind: 'ai', role: 'member' })
  expect(await codeOf(() => asService.keys.rotate(issued.id))).toBe('ok')
  expect(await codeOf(() => asService.keys.rotate(service.id))).toBe('ok')
  expect(await codeOf(() => gus.client.keys.rotate(ownService.id))).toBe('ok')
  expect(await codeOf(() => world.connect({ token: operator.rawToken }).me())).toBe('ok')
  await hal.client.keys.revoke(operator.id)
  expect(await codeOf(() => world.connect({ token: operator.rawToken }).me())).toBe('auth')
})

test('A session is not rotated to a key, which no authenticator is asked for', async () => {
  const fay = await invitePerson(world, 'fay')
  const refused = { code: 'conflict', message: expect.stringContaining('sign in again') }
  await expect(fay.client.keys.rotate(fay.sessionId)).rejects.toMatchObject(refused)
  await expect(world.client.keys.rotate(fay.sessionId)).rejects.toMatchObject(refused)
  expect(await idsOf(fay.client)).toEqual([])
  expect(await codeOf(() => fay.client.me())).toBe('ok')
})

test('A key that is rotated by a code of somebody else is lent, too', async () => {
  const eve = await invitePerson(world, 'eve', 'admin')
  const key = await eve.client.keys.issue({ name: 'own', kind: 'human', role: 'member' })
  const { code } = await world.client.members.code(eve.id)
  const { token } = await world.client.login.signIn({ email: eve.email, code })
  const { id } = await world.connect({ token }).keys.rotate(key.id)
  const store = await world.openStore()
  const { principalId: owner } = await world.client.me()
  expect(await store.keys.get(key.id)).toMatchObject({ lentById: null })
  expect(await store.keys.get(id)).toMatchObject({ lentById: owner })
})

test('A list of keys says who made each: the person himself, one who made it for him, or the person of an operator', async () => {
  const { principalId: owner } = await world.client.me()
  const ivy = await invitePerson(world, 'ivy', 'admin')
  const [own, lent] = [
    await ivy.client.keys.issue({ name: 'own', kind: 'human', role: 'viewer' }),
    await keyOf(ivy, 'viewer'),
  ]
  const robot = await ivy.client.keys.issue({ name: 'robot', kind: 'ai', role: 'admin' })
  const sub = await world.connect({ token: robot.rawToken }).keys.issue({ name: 'sub', kind: 'ai', role: 'viewer' })
  const keys = await Array.fromAsync(world.client.keys.iter())
  const makers = [own, lent, robot, sub].map(({ id }) => keys.find((key) => key.id === id)?.createdById)
  expect(makers).toEqual([ivy.id, owner, ivy.id, ivy.id])
})
