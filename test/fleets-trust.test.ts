import { TOTP } from 'otpauth'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { invitePerson } from './people.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
})
afterAll(() => world[Symbol.asyncDispose]())

let made = 0
/** Somebody who signs in at home by himself, and is an admin of another fleet. */
async function someone() {
  made += 1
  const person = await invitePerson(world, `someone-${made}`)
  const { id: fleetId } = await world.client.fleets.create({ name: `Fleet ${made}`, slug: `fleet-${made}` })
  const confirm = () => world.client.members.add({ email: person.email, role: 'viewer' }, { fleetId })
  await world.client.members.add({ email: person.email, role: 'admin' }, { fleetId })
  return { ...person, fleetId, confirm }
}

const unconfirmed = {
  code: 'permission',
  message: expect.stringContaining('an owner of this fleet confirms') as string,
}

/** A session with a code that an admin has made, and may have, too. */
async function lentSession(email: string) {
  const { code } = await world.client.members.code(email)
  return world.connect({ token: (await world.client.login.signIn({ email, code })).token })
}

/** Sets up an authenticator in this session, and signs in with it. */
async function setUp(client: Awaited<ReturnType<typeof lentSession>>, email: string) {
  const { secret } = await client.login.setUpTotp()
  const totp = new TOTP({ secret })
  await client.login.confirmTotp(totp.generate())
  const { code } = await client.login.ownCode()
  // A code is good once: that of the next step.
  const { token } = await world.client.login.signIn({
    email,
    code,
    totp: totp.generate({ timestamp: Date.now() + 30_000 }),
  })
  return world.connect({ token })
}

describe('a member of another fleet', () => {
  test('whose sign-in an admin at home could use has no rights there, until an owner there confirms him', async () => {
    const { email, client, fleetId, confirm } = await someone()
    expect((await client.fleets.get(fleetId)).role).toBe('admin')
    await world.client.members.code(email)
    await expect(client.fleets.get(fleetId)).rejects.toMatchObject(unconfirmed)
    await expect(client.members.add({ email }, { fleetId })).rejects.toMatchObject(unconfirmed)
    expect((await client.fleets.list()).items.map(({ id }) => id)).not.toContain(fleetId)
    // At home nothing changes.
    await client.me()
    // He is let in as what he was.
    expect(await confirm()).toMatchObject({ email, role: 'admin' })
    expect((await client.fleets.get(fleetId)).role).toBe('admin')
    await expect(confirm()).rejects.toMatchObject({ code: 'conflict' })
  })

  test('is not whoever sets up an authenticator with a code of an admin, though that session is nobody else’s', async () => {
    const { email, fleetId, confirm } = await someone()
    const lent = await lentSession(email)
    await confirm()
    const client = await setUp(lent, email)
    await expect(client.fleets.get(fleetId)).rejects.toMatchObject(unconfirmed)
    await confirm()
    await client.fleets.get(fleetId)
  })

  test('goes on where he sets up an authenticator himself, and not where an admin takes it away', async () => {
    const { email, client, fleetId, confirm } = await someone()
    const again = await setUp(client, email)
    await again.fleets.get(fleetId)
    await world.client.members.resetTotp(email)
    await expect(again.fleets.get(fleetId)).rejects.toMatchObject(unconfirmed)
    await confirm()
    await again.fleets.get(fleetId)
  })

  test('is not who gets his email', async () => {
    made += 1
    const email = `fresh-${made}@example.com`
    const { userId } = await world.client.members.add({ email })
    const { id: fleetId } = await world.client.fleets.create({ name: 'Mail', slug: `mail-${made}` })
    await world.client.members.add({ email, role: 'admin' }, { fleetId })
    await world.client.members.update(userId, { email: 'mallory@example.com' })
    const store = await world.openStore()
    expect((await store.principals.get(userId))?.controlChangedAt).not.toBeNull()
  })

  test('is confirmed by nobody below him', async () => {
    const { email, fleetId } = await someone()
    await world.client.members.setRole(email, 'owner', { fleetId })
    const admin = await invitePerson(world, `below-${made}`, 'admin')
    await world.client.members.add({ email: admin.email, role: 'admin' }, { fleetId })
    await world.client.members.code(email)
    await expect(admin.client.members.add({ email, role: 'viewer' }, { fleetId })).rejects.toMatchObject({
      code: 'permission',
      message: expect.stringContaining('confirm') as string,
    })
  })
})

describe('the last owner of a fleet', () => {
  test('is neither removed where he signs in, nor goes with that fleet; the fleet is named', async () => {
    const { id, email, fleetId } = await someone()
    await world.client.members.setRole(email, 'owner', { fleetId })
    const { items } = await world.client.members.list({ fleetId })
    const first = items.find((member) => member.email !== email)?.userId ?? ''
    await world.client.members.remove(first, { fleetId })
    const named = { code: 'conflict', message: expect.stringContaining(`fleet-${made}`) as string }
    await expect(world.client.members.remove(id)).rejects.toMatchObject(named)
    expect((await world.client.members.list()).items.map(({ userId }) => userId)).toContain(id)
  })
})

describe('an authenticator', () => {
  test('is set up where home takes none and another fleet does; who needs one is told for which fleet', async () => {
    const { email, client, fleetId } = await someone()
    const { fleetId: home } = await world.client.me()
    await world.client.fleets.update(home, { mfaRequired: 'none' })
    await world.client.fleets.update(fleetId, { mfaRequired: 'none' })
    await expect(client.login.setUpTotp()).rejects.toMatchObject({ code: 'conflict' })
    await world.client.fleets.update(fleetId, { mfaRequired: 'required' })
    const asked = { code: 'auth', message: expect.stringContaining(`Fleet ${made}`) as string }
    await expect(client.fleets.get(fleetId)).rejects.toMatchObject(asked)
    const again = await setUp(client, email)
    await again.fleets.get(fleetId)
    await world.client.fleets.update(home, { mfaRequired: 'optional' })
  })

  test('may be set up in a fleet that says nothing of it', async () => {
    const { fleetId } = await someone()
    expect((await world.client.fleets.get(fleetId)).mfaRequired).toBe('optional')
  })

  test('that a fleet asks for from now on is asked for at once, by whichever route that was said', async () => {
    const { client, fleetId } = await someone()
    await world.client.members.configure({ mfaRequired: 'required' }, { fleetId })
    await expect(client.fleets.get(fleetId)).rejects.toMatchObject({ code: 'auth' })
  })
})
