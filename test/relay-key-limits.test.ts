import type { KeyScope } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { unresolvedMachine } from './unresolved.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 2, relay: { trustedProxies: ['127.0.0.1'] } })
})
afterAll(() => world[Symbol.asyncDispose]())

async function clientWith(scopes: KeyScope[]) {
  const { rawToken: token } = await world.client.keys.issue({ name: 'limited', role: 'admin', scopes })
  return { client: world.connect({ token }), token }
}

describe('a key with scopes', () => {
  test('works and sees only there, over HTTP and over channels', async () => {
    const { client, token } = await clientWith([
      { actions: ['machine.exec', 'file.*', 'recording.read'], machines: { names: ['*-0'] } },
    ])
    const [first, second] = world.machines
    expect((await client.machines.list()).items.map(({ name }) => name)).toEqual(['machine-0'])
    expect(await codeOf(() => client.machines.get(second?.id ?? ''))).toBe('permission')
    expect(await codeOf(() => client.machine('machine-1'))).toBe('permission')
    expect(await codeOf(() => client.machine('machine-nowhere'))).toBe('not_found')
    const handle = await client.machine('machine-0')
    expect(await codeOf(() => handle.exec('true'))).toBe('ok')
    expect(await codeOf(() => handle.files.stat('/etc'))).toBe('ok')
    expect(await codeOf(() => handle.sessions.list())).toBe('permission')
    expect(await codeOf(() => client.keys.list())).toBe('permission')
    expect(await codeOf(() => client.recordings.list())).toBe('permission')
    expect(await codeOf(() => client.recordings.list({ machineId: first?.id ?? '' }))).toBe('ok')
    expect(await codeOf(() => client.recordings.list({ machineId: second?.id ?? '' }))).toBe('permission')
    const elsewhere = unresolvedMachine({ ...world, machine: second ?? world.machine }, { token })
    await expect(elsewhere.exec('true')).rejects.toMatchObject({
      code: 'permission',
      message: expect.stringContaining('scopes of your key do not allow machine.exec on machine-1'),
    })
  })

  test('makes no member and lets nobody in as one, nor does a service or a key of less than its person', async () => {
    const { principalId: owner } = await world.client.me()
    const { client } = await clientWith([{ actions: ['member.*', 'key.*'], machines: '*' }])
    const service = { name: 'robot', kind: 'service', role: 'owner' } as const
    const robot = world.connect({ token: (await world.client.keys.issue(service)).rawToken })
    for (const limited of [client, robot]) {
      expect(await codeOf(() => limited.members.list())).toBe('ok')
      expect(await codeOf(() => limited.members.code(owner))).toBe('permission')
      const human = { name: 'me', kind: 'human', member: owner, role: 'viewer' } as const
      expect(await codeOf(() => limited.keys.issue(human))).toBe('permission')
    }
    expect(await codeOf(() => client.members.invite({ email: 'x@example.com', role: 'viewer' }))).toBe('permission')
    const own = { name: 'less', kind: 'human', role: 'viewer' } as const
    const less = world.connect({ token: (await world.client.keys.issue(own)).rawToken })
    expect(await codeOf(() => less.login.ownCode())).toBe('permission')
    expect(await codeOf(() => less.login.sessions())).toBe('permission')
  })

  test('gives away no more than it has', async () => {
    const { client } = await clientWith([{ actions: ['key.*', 'machine.exec'], machines: '*' }])
    const wider: KeyScope[] = [{ actions: ['*'], machines: '*' }]
    expect(await codeOf(() => client.keys.issue({ name: 'wider', scopes: wider }))).toBe('permission')
    const narrower: KeyScope[] = [{ actions: ['machine.exec'], machines: { names: ['machine-1'] } }]
    expect(await codeOf(() => client.keys.issue({ name: 'narrower', scopes: narrower }))).toBe('ok')
    const { rawToken: token } = await client.keys.issue({ name: 'the same' })
    const { credential } = await world.connect({ token }).me()
    expect(credential.scopes).toEqual([{ actions: ['key.*', 'machine.exec'], machines: '*' }])
    const unknown: KeyScope[] = [{ actions: ['machine.explode'], machines: '*' }]
    expect(await codeOf(() => world.client.keys.issue({ name: 'unknown', scopes: unknown }))).toBe('validation')
  })
})

test('a key that is bound to addresses works from there only, over HTTP and over channels', async () => {
  const issue = async (ipRanges: string[]) => {
    const { rawToken: token } = await world.client.keys.issue({ name: 'bound', ipRanges })
    return token
  }
  const [here, elsewhere] = [await issue(['127.0.0.0/8', '::1']), await issue(['192.0.2.0/24', '2001:db8::/32'])]
  expect(await codeOf(() => unresolvedMachine(world, { token: here }).exec('true'))).toBe('ok')
  expect(await codeOf(() => unresolvedMachine(world, { token: elsewhere }).exec('true'))).toBe('auth')
  expect(await codeOf(() => world.connect({ token: elsewhere }).me())).toBe('auth')
  // A proxy that is trusted says who asks; what comes before it says nothing.
  const from = async (token: string, forwarded: string) =>
    (
      await fetch(`${world.relay.url}/api/me`, {
        headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': forwarded },
      })
    ).status
  expect(await from(elsewhere, '192.0.2.7')).toBe(200)
  expect(await from(elsewhere, '2001:db8::1')).toBe(200)
  expect(await from(elsewhere, '192.0.2.7, 203.0.113.9')).toBe(401)
  expect(await from(here, '192.0.2.7')).toBe(401)
  const bound = world.connect({ token: here })
  expect(await codeOf(() => bound.keys.issue({ name: 'more', ipRanges: ['0.0.0.0/0'] }))).toBe('permission')
  expect(await codeOf(() => world.client.keys.issue({ name: 'wrong', ipRanges: ['somewhere'] }))).toBe('validation')
})

describe('a key that is rotated', () => {
  test('is another one with the same limits, and the old one ends at once or after an overlap', async () => {
    const scopes: KeyScope[] = [{ actions: ['machine.exec'], machines: '*' }]
    const limits = { name: 'robot', kind: 'ai', role: 'member', scopes, maxTargetsPerRun: 5 } as const
    const { id, rawToken: old } = await world.client.keys.issue({ ...limits, expiresInDays: 3 })
    const next = await world.client.keys.rotate(id, { overlapSeconds: 60 })
    const { principalId } = await world.connect({ token: old }).me()
    expect(await world.connect({ token: next.rawToken }).me()).toMatchObject({
      principalId,
      role: 'member',
      credential: { id: next.id, scopes, maxTargetsPerRun: 5 },
    })
    expect(await codeOf(() => world.client.keys.rotate(id))).toBe('conflict')
    const last = await world.client.keys.rotate(next.id)
    expect(await codeOf(() => world.connect({ token: next.rawToken }).me())).toBe('auth')
    expect(await codeOf(() => world.connect({ token: last.rawToken }).me())).toBe('ok')
    const listed = await Array.fromAsync(world.client.keys.iter())
    expect(listed.find((key) => key.id === last.id)).toMatchObject({ rotatedFrom: next.id, kind: 'ai' })
  })

  test('of a person stays that person’s, and one is given to a member only by who may manage members', async () => {
    const { principalId: owner } = await world.client.me()
    const own = await world.client.keys.issue({ name: 'laptop', kind: 'human', role: 'viewer' })
    expect(await world.connect({ token: own.rawToken }).me()).toMatchObject({ principalId: owner, role: 'viewer' })
    const member = await world.client.members.add({ email: 'key-holder@example.com', role: 'member' })
    const given = { name: 'given', kind: 'human', role: 'member', member: 'key-holder@example.com' } as const
    const { rawToken: token } = await world.client.keys.issue(given)
    expect(await world.connect({ token }).me()).toMatchObject({ principalId: member.userId, role: 'member' })
    const scoped = await clientWith([{ actions: ['key.*'], machines: '*' }])
    expect(await codeOf(() => scoped.client.keys.issue(given))).toBe('permission')
    expect(await codeOf(() => world.client.keys.issue({ ...given, member: 'nobody@example.com' }))).toBe('not_found')
  })
})
