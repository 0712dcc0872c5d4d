import { TOTP } from 'otpauth'
import type { Client } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { invitePerson } from './people.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 0, relay: { signInsPerMinute: 10_000 } })
})
afterAll(() => world[Symbol.asyncDispose]())

describe('an invitation', () => {
  test('makes a member with role and groups, who is signed in', async () => {
    const ann = await invitePerson(world, 'ann', 'member', ['ops'])
    expect(await ann.client.me()).toMatchObject({
      kind: 'human',
      name: 'ann',
      email: 'ann@example.com',
      role: 'member',
      groups: ['ops'],
      credential: { type: 'session' },
    })
    const { items } = await world.client.members.list()
    expect(items).toMatchObject([
      { email: null, role: 'owner' },
      { email: 'ann@example.com', groups: ['ops'] },
    ])
  })

  test('is used by one of those who come at once, and by nobody after that', async () => {
    const { token } = await world.client.members.invite({ email: 'once@example.com' })
    const codes = await Promise.all(Array.from({ length: 8 }, () => codeOf(() => world.client.login.accept({ token }))))
    expect(codes.sort()).toEqual([...Array.from({ length: 7 }, () => 'auth'), 'ok'])
  })

  test('is not used up by looking at its link, and is void when it is revoked', async () => {
    const { link, token, id } = await world.client.members.invite({ email: 'later@example.com' })
    expect(link).toBe(`${world.relay.url}/join#${token}`)
    const page = await fetch(link)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('cmdop join')])
    await world.client.members.revokeInvitation(id)
    expect(await codeOf(() => world.client.login.accept({ token }))).toBe('auth')
    expect((await world.client.members.invitations()).items).toEqual([])
  })

  test('is not for who is a member already', async () => {
    expect(await codeOf(() => world.client.members.invite({ email: 'ANN@example.com' }))).toBe('conflict')
    expect(await codeOf(() => world.client.members.add({ email: 'Ann@example.com' }))).toBe('conflict')
  })
})

describe('a sign-in code', () => {
  test('is good once, however many use it at once', async () => {
    const { email } = await invitePerson(world, 'bob')
    const { code } = await world.client.members.code(email)
    const spelled = ` ${code.toLowerCase().replace('-', ' ')} `
    const codes = await Promise.all([1, 2, 3].map(() => codeOf(() => signIn(email, spelled))))
    expect(codes.sort()).toEqual(['auth', 'auth', 'ok'])
  })

  test('is void after five wrong ones, also when they come all at once', async () => {
    const { email } = await invitePerson(world, 'carol')
    const { code } = await world.client.members.code(email)
    const wrong = await Promise.all(Array.from({ length: 5 }, () => codeOf(() => signIn(email, 'AAAA-AAAA'))))
    expect(wrong).toEqual(['auth', 'auth', 'auth', 'auth', 'auth'])
    expect(await codeOf(() => signIn(email, code))).toBe('auth')
    const { code: next } = await world.client.members.code(email)
    expect(await codeOf(() => signIn(email, next))).toBe('ok')
  })

  test('says the same of an email that nobody has', async () => {
    const messages = await Promise.all(
      ['nobody@example.com', 'bob@example.com'].map((email) =>
        signIn(email, 'AAAA-AAAA').then(undefined, (error: unknown) => (isCmdopError(error) ? error.message : error)),
      ),
    )
    expect(messages[0]).toBe(messages[1])
    const asked = await Promise.all(
      ['nobody@example.com', 'bob@example.com'].map((email) => world.client.login.requestCode(email)),
    )
    expect(asked).toEqual([{ mail: false }, { mail: false }])
  })

  test('of one’s own lets one in elsewhere, and the sessions can be told apart and ended', async () => {
    const dora = await invitePerson(world, 'dora')
    const { code } = await dora.client.login.ownCode()
    const second = await signIn(dora.email, code)
    const elsewhere = world.connect({ token: second.token })
    const { items } = await elsewhere.login.sessions()
    const shown = items.map(({ id, current }) => `${id} ${current}`).sort()
    expect(shown).toEqual([`${second.sessionId} true`, `${dora.sessionId} false`].sort())
    await elsewhere.login.revoke(dora.sessionId)
    expect(await codeOf(() => dora.client.me())).toBe('auth')
    const stranger = await invitePerson(world, 'stranger')
    expect(await codeOf(() => stranger.client.login.revoke(second.sessionId))).toBe('not_found')
    expect((await Array.fromAsync(world.client.keys.iter({ credential: 'session' }))).length).toBeGreaterThan(2)
  })

  test('may not be tried without a limit', async () => {
    await using strict = await startWorld({ machines: 0, relay: { signInsPerMinute: 3 } })
    const { login } = strict.client
    const shown = { email: 'a@example.com', code: 'AAAA-AAAA' }
    for (const _ of [1, 2, 3]) expect(await codeOf(() => login.signIn(shown))).toBe('auth')
    await expect(login.signIn(shown)).rejects.toMatchObject({
      code: 'rate_limit',
      retryAfter: expect.any(Number),
    })
    expect(await codeOf(() => strict.client.me())).toBe('ok')
  })
})

describe('the email of a member', () => {
  test('to which codes are mailed is changed by nobody else once the member has been there, and by himself', async () => {
    const [ida, jon] = [await invitePerson(world, 'ida', 'admin'), await invitePerson(world, 'jon', 'admin')]
    const mine = { email: 'ida-too@example.com' }
    expect(await codeOf(() => ida.client.members.update(jon.id, mine))).toBe('permission')
    expect(await codeOf(() => world.client.members.update(jon.id, mine))).toBe('permission')
    const { code } = await ida.client.members.code(jon.id)
    const asJon = world.connect({ token: (await signIn(jon.email, code)).token })
    expect(await codeOf(() => asJon.members.update(jon.id, mine))).toBe('permission')
    expect((await ida.client.members.update(jon.id, { email: jon.email, groups: ['ops'] })).groups).toEqual(['ops'])
    await jon.client.members.update(jon.id, { email: 'john@example.com' })
    expect((await jon.client.me()).email).toBe('john@example.com')
  })

  test('is corrected by an admin before the member has been there', async () => {
    const { userId: id } = await world.client.members.add({ email: 'kat@exmaple.com' })
    expect(await world.client.members.update(id, { email: 'kat@example.com' })).toMatchObject({
      email: 'kat@example.com',
    })
    const { code } = await world.client.members.code(id)
    await signIn('kat@example.com', code)
    expect(await codeOf(() => world.client.members.update(id, { email: 'other@example.com' }))).toBe('permission')
  })
})

describe('an authenticator', () => {
  const codeAt = (secret: string, offsetS = 0) =>
    new TOTP({ secret }).generate({ timestamp: Date.now() + offsetS * 1000 })

  async function withTotp(name: string): Promise<{ email: string; secret: string; client: Client }> {
    const { email, client } = await invitePerson(world, name)
    const { secret, otpauthUri: uri } = await client.login.setUpTotp()
    expect(uri).toMatch(/^otpauth:\/\/totp\//)
    expect(await codeOf(() => client.login.confirmTotp('000000'))).toBe('auth')
    await client.login.confirmTotp(codeAt(secret, -30))
    return { email, secret, client }
  }

  test('is asked for beside the code, and takes each of its codes once', async () => {
    const { email, secret } = await withTotp('erin')
    const { code } = await world.client.members.code(email)
    await expect(signIn(email, code)).rejects.toMatchObject({ code: 'auth', details: { totp: 'required' } })
    const totp = codeAt(secret)
    expect(await codeOf(() => world.client.login.signIn({ email, code, totp: '000000' }))).toBe('auth')
    expect(await codeOf(() => world.client.login.signIn({ email, code, totp }))).toBe('ok')
    const { code: next } = await world.client.members.code(email)
    expect(await codeOf(() => world.client.login.signIn({ email, code: next, totp }))).toBe('auth')
    const later = codeAt(secret, 30)
    expect(await codeOf(() => world.client.login.signIn({ email, code: next, totp: later }))).toBe('ok')
    const members = await Array.fromAsync(world.client.members.iter())
    expect(members.find((member) => member.email === email)).toMatchObject({ totp: true })
  })

  test('that is lost is removed by an admin, and by oneself only with a code of it', async () => {
    const { email, secret, client } = await withTotp('frank')
    expect(await codeOf(() => client.login.setUpTotp())).toBe('conflict')
    expect(await codeOf(() => client.login.removeTotp('000000'))).toBe('auth')
    await client.login.removeTotp(codeAt(secret))
    await client.login.setUpTotp()
    await world.client.members.resetTotp(email)
    const { code } = await world.client.members.code(email)
    expect(await codeOf(() => signIn(email, code))).toBe('ok')
  })

  test('is locked after five wrong codes, wherever they are tried, and each of them is a row', async () => {
    const { email, secret, client } = await withTotp('liz')
    const locked = { code: 'rate_limit', retryAfter: expect.any(Number) }
    const wrong = await Promise.all(Array.from({ length: 4 }, () => codeOf(() => client.login.removeTotp('000000'))))
    expect(wrong).toEqual(['auth', 'auth', 'auth', 'auth'])
    const { code } = await world.client.members.code(email)
    await expect(world.client.login.signIn({ email, code, totp: '000000' })).rejects.toMatchObject({ code: 'auth' })
    await expect(client.login.removeTotp(codeAt(secret))).rejects.toMatchObject(locked)
    await expect(world.client.login.signIn({ email, code, totp: codeAt(secret) })).rejects.toMatchObject(locked)
    const { principalId } = await client.me()
    const codesOf = async (action: string) =>
      (await world.client.audit.getLogs({ principalId, action, kind: 'outcome' })).items.map((row) => row.code)
    expect(await codesOf('totp.remove')).toEqual(['rate_limit', 'auth', 'auth', 'auth', 'auth'])
    expect(await codesOf('login')).toEqual(['rate_limit', 'auth'])
    expect(await codesOf('totp.set-up')).toContain('auth')
    const store = await world.openStore()
    const until = Date.parse((await store.totp.get(principalId))?.lockedUntil ?? '') - Date.now()
    expect(until).toBeGreaterThan(600_000)
    await world.client.members.resetTotp(email)
    expect(await codeOf(() => signIn(email, code))).toBe('ok')
  })

  test('comes before everything else where the fleet asks everybody for one, and for keys it is not asked', async () => {
    const { client, email } = await invitePerson(world, 'grace')
    await world.client.members.configure({ mfaRequired: 'required' })
    await expect(client.me()).rejects.toMatchObject({ code: 'auth', details: { totp: 'setup' } })
    const { code } = await world.client.members.code(email)
    expect(await signIn(email, code)).toMatchObject({ totpRequired: true })
    const { secret } = await client.login.setUpTotp()
    await client.login.confirmTotp(codeAt(secret))
    expect(await codeOf(() => client.me())).toBe('ok')
    expect(await codeOf(() => world.client.me())).toBe('ok')
    await world.client.members.configure({ mfaRequired: 'none' })
    const late = await invitePerson(world, 'late')
    expect(await codeOf(() => late.client.login.setUpTotp())).toBe('conflict')
    const unknown = { mfaRequired: 'sometimes' as 'none' }
    expect(await codeOf(() => world.client.members.configure(unknown))).toBe('validation')
    expect(await world.client.members.settings()).toEqual({ mfaRequired: 'none', fourEyes: null })
  })
})

function signIn(email: string, code: string) {
  return world.client.login.signIn({ email, code })
}
