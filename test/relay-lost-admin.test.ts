import { isCmdopError } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { invitePerson, type Person } from './people.ts'
import { startWorld, type World } from './world.ts'

let world: World
let victim: Person
beforeAll(async () => {
  world = await startWorld({ relay: { signInsPerMinute: 10_000 } })
  victim = await invitePerson(world, 'victim')
})
afterAll(() => world[Symbol.asyncDispose]())

const ways = {
  removed: (evil: Person) => world.client.members.remove(evil.id),
  lowered: (evil: Person) => world.client.members.setRole(evil.id, 'member'),
}

describe.each(['removed', 'lowered'] as const)('An admin who is %s', (way) => {
  test('keeps nothing that he made for himself', async () => {
    const evil = await invitePerson(world, `evil-${way}`, 'admin')
    const { members, keys, enrollmentTokens } = evil.client
    const { rawToken: lent } = await keys.issue({ name: 'lent', kind: 'human', role: 'member', member: victim.id })
    const first = await members.code(victim.id)
    const session = await world.client.login.signIn({ email: victim.email, code: first.code })
    const asVictim = world.connect({ token: session.token })
    const second = await members.code(victim.id)
    const third = await asVictim.login.ownCode()
    const { rawToken: another } = await world.connect({ token: lent }).keys.rotate(lent.split('_')[2] ?? '')
    const { token: invitation } = await members.invite({ email: `again-${way}@example.com`, role: 'admin' })
    const { id: enrollment } = await enrollmentTokens.issue({ maxUses: 5 })

    await ways[way](evil)
    for (const token of [lent, another, session.token])
      expect(await codeOf(() => world.connect({ token }).me())).toBe('auth')
    for (const { code } of [second, third])
      expect(await codeOf(() => world.client.login.signIn({ email: victim.email, code }))).toBe('auth')
    expect(await codeOf(() => world.client.login.accept({ token: invitation }))).toBe('auth')
    const store = await world.openStore()
    expect(await store.enrollmentTokens.get(enrollment)).toMatchObject({ uses: 0, maxUses: 0 })
    expect(await codeOf(() => victim.client.me())).toBe('ok')
  })

  test('loses what runs by a key that he made for another, within a second', async () => {
    const evil = await invitePerson(world, `quick-${way}`, 'admin')
    const key = { name: 'lent', kind: 'human', role: 'member', member: victim.id } as const
    const { rawToken: token } = await evil.client.keys.issue(key)
    const handle = await world.connect({ token }).machine(world.machine.id)
    const mark = newMark()
    const running = handle.exec(['sleep', '1000'], { env: { MARK: mark } }).then(undefined, (caught) => caught)
    await whenRunning(mark)
    await ways[way](evil)
    const lostAt = performance.now()
    expect(await running).toMatchObject({ code: 'auth' })
    expect(performance.now() - lostAt).toBeLessThan(1000)
    await whenGone(mark, 2000)
  })

  test('reads no more of the audit log that he follows', async () => {
    const evil = await invitePerson(world, `reader-${way}`, 'admin')
    const rows = evil.client.audit.follow()
    const read = async () => {
      for await (const row of rows) if (row.subject?.endsWith(' code') && isAfter) throw new Error('It was read.')
    }
    let isAfter = false
    const ended = read().then(
      () => 'ended',
      (error: unknown) => (isCmdopError(error) ? error.code : error),
    )
    await world.client.audit.key()
    await ways[way](evil)
    isAfter = true
    await world.client.members.code(victim.id)
    expect(await ended).toBe(way === 'removed' ? 'auth' : 'permission')
  })
})

test('An invitation is void when it was written after its maker was lowered', async () => {
  const evil = await invitePerson(world, 'late', 'admin')
  const { token, id } = await evil.client.members.invite({ email: 'later@example.com', role: 'admin' })
  await world.client.members.setRole(evil.id, 'member')
  const store = await world.openStore()
  const row = await store.invitations.get(id)
  if (row === undefined) throw new Error('There is no such invitation.')
  const late = `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`
  await store.invitations.create({ ...row, id: late, revokedAt: null })
  await expect(world.client.login.accept({ token: token.replace(id, late) })).rejects.toMatchObject({
    code: 'auth',
    message: expect.stringContaining('may not do so any more'),
  })
})
