import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { invitePerson, type Person } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let ada: Person
let home = ''
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
  home = (await world.client.me()).fleetId
  ada = await invitePerson(world, 'ada', 'viewer')
})
afterAll(() => world[Symbol.asyncDispose]())

let made = 0
/** A fleet of the owner, in which Ada is what is given. */
async function fleetWith(role?: 'owner' | 'admin' | 'member' | 'viewer') {
  made += 1
  const fleet = await world.client.fleets.create({ name: `Fleet ${made}`, slug: `fleet-${made}` })
  const member =
    role === undefined ? undefined : await world.client.members.add({ email: ada.email, role }, { fleetId: fleet.id })
  return { fleetId: fleet.id, member, fleet }
}

describe('a fleet', () => {
  test('is made by a person, who owns it; its slug is taken then', async () => {
    const fleet = await world.client.fleets.create({ name: 'Staging', slug: 'staging', mfaRequired: 'optional' })
    expect(fleet).toMatchObject({ name: 'Staging', slug: 'staging', mfaRequired: 'optional', role: 'owner' })
    expect(await world.client.fleets.get(fleet.id)).toEqual(fleet)
    const again = world.client.fleets.create({ name: 'Other', slug: 'staging' })
    await expect(again).rejects.toMatchObject({ code: 'conflict' })
    expect((await world.client.members.list({ fleetId: fleet.id })).items).toMatchObject([{ role: 'owner' }])
  })

  test('is refused with settings that nobody knows, instead of made with none', async () => {
    const create = world.client.fleets.create({ name: 'X', slug: 'x', mfaRequired: 'always' as 'none' })
    await expect(create).rejects.toMatchObject({ code: 'validation' })
    await expect(world.client.fleets.create({ name: 'X', slug: 'No Slug' })).rejects.toMatchObject({
      code: 'validation',
    })
    expect((await Array.fromAsync(world.client.fleets.iter())).map(({ slug }) => slug)).not.toContain('x')
  })

  test('changes only what is named', async () => {
    const { fleetId, fleet } = await fleetWith()
    const renamed = await world.client.fleets.update(fleetId, { name: 'Other name' })
    expect(renamed).toEqual({ ...fleet, name: 'Other name' })
    expect(await world.client.fleets.update(fleetId, { mfaRequired: 'optional' })).toMatchObject({
      name: 'Other name',
      mfaRequired: 'optional',
    })
  })

  test('ends at once when it is disabled: keys, sessions and what was promised; the first one cannot be', async () => {
    const { fleetId } = await fleetWith('member')
    const { rawToken: token } = await world.client.keys.issue({ name: 'k', kind: 'human', role: 'admin' }, { fleetId })
    const { token: invitation } = await world.client.members.invite({ email: 'new@example.com' }, { fleetId })
    const inside = world.connect({ token })
    const { rawToken: enrolment } = await inside.enrollmentTokens.issue()
    await world.client.fleets.disable(fleetId)
    await expect(inside.me()).rejects.toMatchObject({ code: 'auth' })
    await expect(ada.client.fleets.get(fleetId)).rejects.toMatchObject({ code: 'not_found' })
    await expect(world.client.fleets.disable(fleetId)).rejects.toMatchObject({ code: 'not_found' })
    await expect(world.client.login.accept({ token: invitation })).rejects.toMatchObject({ code: 'auth' })
    const enroll = await fetch(`${world.relay.url}/api/enroll`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        token: enrolment,
        public_key: 'x',
        hostname: 'h',
        os: 'linux',
        architecture: 'x64',
        agent_version: '1',
      }),
    })
    expect([401, 422]).toContain(enroll.status)
    await expect(world.client.fleets.disable(home)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('is disabled by an owner only', async () => {
    const { fleetId } = await fleetWith('admin')
    await expect(ada.client.fleets.disable(fleetId)).rejects.toMatchObject({ code: 'permission' })
    await world.client.members.setRole(ada.email, 'owner', { fleetId })
    await ada.client.fleets.disable(fleetId)
    await expect(world.client.fleets.get(fleetId)).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('a person in another fleet', () => {
  test('is what he is there, whatever he is at home, and no more than his key', async () => {
    const { fleetId } = await fleetWith('admin')
    expect((await ada.client.fleets.get(fleetId)).role).toBe('admin')
    await ada.client.keys.list({ fleetId })
    await expect(ada.client.keys.list()).rejects.toMatchObject({ code: 'permission' })
    const { rawToken: token } = await world.client.keys.issue({ name: 'less', kind: 'human', role: 'viewer' })
    const less = world.connect({ token })
    expect((await less.fleets.get(fleetId)).role).toBe('viewer')
    await expect(less.keys.list({ fleetId })).rejects.toMatchObject({ code: 'permission' })
  })

  test('has rows in the log of that fleet, and none at home', async () => {
    const { fleetId, member } = await fleetWith('admin')
    const { id } = await ada.client.keys.issue({ name: 'there', role: 'viewer' }, { fleetId })
    const { rawToken: token } = await world.client.keys.issue({ name: 'auditor', role: 'admin' }, { fleetId })
    const auditor = world.connect({ token })
    const rows = await waitFor('the rows are there', async () => {
      const { items } = await auditor.audit.getLogs({ subject: `key:${id}` })
      return items.length > 0 && items
    })
    expect(rows[0]).toMatchObject({ action: 'key.issue', principalId: member?.userId, principalName: 'ada' })
    expect((await world.client.audit.getLogs({ subject: `key:${id}` })).items).toEqual([])
  })

  test('loses it with the membership, at once', async () => {
    const { fleetId, member } = await fleetWith('admin')
    await ada.client.fleets.get(fleetId)
    await world.client.members.remove(member?.userId ?? '', { fleetId })
    await expect(ada.client.fleets.get(fleetId)).rejects.toMatchObject({ code: 'not_found' })
    await expect(ada.client.members.list({ fleetId })).rejects.toMatchObject({ code: 'not_found' })
    expect((await Array.fromAsync(ada.client.fleets.iter())).map(({ id }) => id)).not.toContain(fleetId)
  })

  test('is asked for an authenticator where that fleet asks for one, and not elsewhere', async () => {
    const { fleetId } = await fleetWith('member')
    await world.client.fleets.update(fleetId, { mfaRequired: 'required' })
    const refused = { code: 'auth', details: { totp: 'setup' } }
    await expect(ada.client.fleets.get(fleetId)).rejects.toMatchObject(refused)
    await expect(ada.client.me()).resolves.toMatchObject({ fleetId: home })
    // Keys are not asked, as at home.
    await expect(world.client.fleets.get(fleetId)).resolves.toMatchObject({ mfaRequired: 'required' })
  })

  test('has keys there that stay there', async () => {
    const { fleetId } = await fleetWith('admin')
    const { rawToken: token } = await ada.client.keys.issue({ name: 'mine', kind: 'human', role: 'admin' }, { fleetId })
    const there = world.connect({ token })
    expect(await there.me()).toMatchObject({ fleetId, name: 'ada' })
    await expect(there.fleets.get(home)).rejects.toMatchObject({ code: 'not_found' })
    await expect(there.fleets.create({ name: 'No', slug: 'no' })).rejects.toMatchObject({ code: 'permission' })
    expect((await there.fleets.list()).items.map(({ id }) => id)).toEqual([fleetId])
  })

  test('is not whoever that fleet lets in with his email, and what the fleet makes for him stays there', async () => {
    const { fleetId, member } = await fleetWith('member')
    const user = member?.userId ?? ''
    // A code, an authenticator and an email would let somebody else be Ada everywhere.
    await expect(world.client.members.code(user, { fleetId })).rejects.toMatchObject({ code: 'conflict' })
    await expect(world.client.members.resetTotp(user, { fleetId })).rejects.toMatchObject({ code: 'conflict' })
    await expect(world.client.members.update(user, { email: 'mine@example.com' }, { fleetId })).rejects.toMatchObject({
      code: 'conflict',
    })
    const { rawToken: token } = await world.client.keys.issue(
      { name: 'lent', kind: 'human', member: user },
      { fleetId },
    )
    await expect(world.connect({ token }).fleets.get(home)).rejects.toMatchObject({ code: 'not_found' })
    const other = await fleetWith()
    const { token: invitation } = await world.client.members.invite({ email: ada.email }, { fleetId: other.fleetId })
    const impostor = world.connect({ token: (await world.client.login.accept({ token: invitation })).token })
    expect((await impostor.me()).fleetId).toBe(other.fleetId)
    await expect(impostor.fleets.get(home)).rejects.toMatchObject({ code: 'not_found' })
    await expect(ada.client.fleets.get(other.fleetId)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('is one person only with who is a member at home: an email of another fleet is somebody else', async () => {
    const { fleetId } = await fleetWith()
    const bob = await world.client.members.add({ email: 'bob@example.com', role: 'member' }, { fleetId })
    const { code } = await world.client.members.code(bob.userId, { fleetId })
    const { token } = await world.client.login.signIn({ email: 'bob@example.com', code, fleet: fleetId })
    const client = world.connect({ token })
    expect(await client.me()).toMatchObject({ fleetId, principalId: bob.userId })
    const second = await fleetWith()
    await world.client.members.add({ email: 'bob@example.com' }, { fleetId: second.fleetId })
    await expect(client.fleets.get(second.fleetId)).rejects.toMatchObject({ code: 'not_found' })
  })
})

test('signing in without a fleet is to the oldest one that has the email', async () => {
  const { fleetId } = await fleetWith()
  await world.client.members.invite({ email: 'eve@example.com' }, { fleetId })
  const eve = await world.client.members.add({ email: 'eve@example.com' }, { fleetId })
  const { code } = await world.client.members.code(eve.userId, { fleetId })
  const at = await world.client.login.signIn({ email: 'eve@example.com', code })
  expect(at.fleetId).toBe(fleetId)
  const own = await world.client.members.add({ email: 'eve@example.com' })
  const { code: another } = await world.client.members.code(own.userId)
  expect((await world.client.login.signIn({ email: 'eve@example.com', code: another })).fleetId).toBe(home)
})

test('the last owner of a fleet neither goes nor becomes less', async () => {
  const { fleetId } = await fleetWith('admin')
  const { items } = await world.client.members.list({ fleetId })
  const owner = items.find(({ role }) => role === 'owner')?.userId ?? ''
  await expect(world.client.members.remove(owner, { fleetId })).rejects.toMatchObject({ code: 'conflict' })
  await expect(world.client.members.setRole(owner, 'admin', { fleetId })).rejects.toMatchObject({ code: 'conflict' })
  await world.client.members.setRole(ada.email, 'owner', { fleetId })
  await world.client.members.setRole(owner, 'admin', { fleetId })
  expect((await world.client.fleets.get(fleetId)).role).toBe('admin')
})
