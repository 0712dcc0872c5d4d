import type { Client } from '@cmdop/core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let home = ''
let fleetId = ''
/** A member of the other fleet, and nothing at home. */
let there: Client
beforeAll(async () => {
  world = await startWorld()
  const { client } = world
  home = (await client.me()).fleetId
  fleetId = (await client.fleets.create({ name: 'Other', slug: 'other' })).id
  there = await memberOf('member')
})
afterAll(() => world[Symbol.asyncDispose]())

let made = 0
async function memberOf(role: 'admin' | 'member' | 'viewer'): Promise<Client> {
  made += 1
  const email = `person-${made}@example.com`
  const { userId } = await world.client.members.add({ email, role }, { fleetId })
  const { code } = await world.client.members.code(userId, { fleetId })
  return world.connect({ token: (await world.client.login.signIn({ email, code })).token })
}

const attach = () => world.client.fleets.machines.attach(world.machine.id, { fleetId })
const detach = () => world.client.fleets.machines.detach(world.machine.id, { fleetId })

describe('a machine of another fleet', () => {
  afterEach(() => detach().catch(() => {}))

  test('is hidden until it is attached, and again when it is not', async () => {
    const { machine } = world
    await expect(there.machines.get(machine.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(there.machine(machine.name)).rejects.toMatchObject({ code: 'not_found' })
    const link = await attach()
    expect(link).toMatchObject({ machineId: machine.id, fleetId })
    await expect(attach()).rejects.toMatchObject({ code: 'conflict' })
    expect((await there.machines.list()).items).toMatchObject([{ id: machine.id, fleetId: home }])
    expect((await there.machines.get(machine.id)).fleets.map((fleet) => fleet.slug)).toEqual(['other'])
    const listed = await world.client.fleets.machines.list({ fleetId })
    expect(listed.items[0]?.fleets.map((fleet) => fleet.slug)).toEqual(['default', 'other'])
    expect((await (await there.machine(machine.name)).exec('echo used')).stdout).toBe('used\n')
    expect((await there.machines.ping([machine.id])).get(machine.id)).not.toBeNull()
    await detach()
    await expect(there.machines.get(machine.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(there.handle(machine2()).exec('true')).rejects.toMatchObject({ code: 'not_found' })
    expect((await there.machines.list()).items).toEqual([])
    await expect(detach()).rejects.toMatchObject({ code: 'not_found' })
  })

  test('is used, and not managed, by the roles of the fleet that uses it', async () => {
    const { machine } = world
    await attach()
    const [admin, viewer] = [await memberOf('admin'), await memberOf('viewer')]
    for (const act of [
      () => admin.machines.disable(machine.id),
      () => admin.machines.enable(machine.id),
      () => admin.machines.update(machine.id, { name: 'mine' }),
      () => admin.machines.label(machine.id, { mine: 'yes' }),
      () => admin.machines.release(machine.id),
      () => admin.policy.get({ machineId: machine.id }),
      () => admin.approvals.request({ title: 'x', actions: [exec(machine.id)] }),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'not_found' })
    await expect(viewer.handle(machine2()).exec('true')).rejects.toMatchObject({ code: 'permission' })
    await expect(viewer.handle(machine2()).facts()).resolves.toMatchObject({ hostname: expect.any(String) })
    await expect(there.fleets.machines.detach(machine.id)).rejects.toMatchObject({ code: 'permission' })
    await detach()
  })

  test('is under the policies of both fleets, of which the stricter decides; nobody is asked', async () => {
    const { client, machine } = world
    await attach()
    const handle = there.handle(machine2())
    await handle.exec('uptime')
    const deny = {
      rules: [
        {
          id: 'no',
          decision: 'deny',
          command: { name: 'uptime', args: ['...'] },
          match: ['uptime'],
          notMatch: ['true'],
        },
      ],
    }
    const { version } = await client.policy.get()
    await client.policy.set({ policy: deny, version })
    await expect(handle.exec('uptime')).rejects.toMatchObject({ code: 'policy_denied' })
    await client.policy.set({ policy: { rules: [] }, version: version + 1 })
    await handle.exec('uptime')
    const admin = await memberOf('admin')
    await admin.policy.set({ policy: deny, version: 0 })
    await expect(handle.exec('uptime')).rejects.toMatchObject({ code: 'policy_denied' })
    await world.handle.exec('uptime')
    await admin.policy.set({ policy: { rules: [] }, version: 1 })
    await expect(handle.exec('true', { approval: { ask: true } })).rejects.toMatchObject({ code: 'policy_denied' })
    await detach()
  })

  test('ends what runs there through the link when it is detached, and nothing else', async () => {
    const { client, machine } = world
    await attach()
    const used = there.handle(machine2()).exec(['sleep', '601'])
    const stop = new AbortController()
    const own = world.handle.exec(['sleep', '602'], { signal: stop.signal })
    await waitFor(
      'both run',
      async () => (await world.handle.exec('pgrep -fc "^sleep 60[12]$" || true')).stdout === '2\n',
    )
    await detach()
    await expect(used).rejects.toMatchObject({ code: 'cancelled' })
    await waitFor(
      'one is left',
      async () => (await world.handle.exec('pgrep -fc "^sleep 60[12]$" || true')).stdout === '1\n',
    )
    stop.abort()
    await expect(own).rejects.toMatchObject({ code: 'cancelled' })
    expect((await client.machines.get(machine.id)).presence).toBe('online')
  })

  test('is attached only by who manages machines in both, under a name that is free there, and taken back at home', async () => {
    const { client, machine } = world
    const admin = await memberOf('admin')
    await expect(admin.fleets.machines.attach(machine.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.fleets.machines.attach(machine.id)).rejects.toMatchObject({ code: 'conflict' })
    const { rawToken: token } = await client.keys.issue({ name: 'less', kind: 'human', role: 'member' })
    const less = world.connect({ token })
    await expect(less.fleets.machines.attach(machine.id, { fleetId })).rejects.toMatchObject({ code: 'permission' })
    // Somebody who manages machines at home, and is nobody there.
    const { rawToken: service } = await client.keys.issue({ name: 'ops', kind: 'service', role: 'admin' })
    const ops = world.connect({ token: service })
    await expect(ops.fleets.machines.attach(machine.id, { fleetId })).rejects.toMatchObject({ code: 'not_found' })
    await attach()
    expect((await ops.machines.get(machine.id)).fleets.map(({ slug }) => slug)).toEqual(['default', 'other'])
    await ops.fleets.machines.detach(machine.id, { fleetId })
    await expect(there.machines.get(machine.id)).rejects.toMatchObject({ code: 'not_found' })
    const { rawToken: enrolment } = await admin.enrollmentTokens.issue({ maxUses: 2 })
    await enroll(enrolment, machine.name)
    await expect(attach()).rejects.toMatchObject({ code: 'conflict' })
  })

  test('ends with the fleet that uses it', async () => {
    const { client, machine } = world
    const other = await client.fleets.create({ name: 'Short', slug: 'short' })
    await client.fleets.machines.attach(machine.id, { fleetId: other.id })
    expect((await client.machines.get(machine.id)).fleets.map(({ slug }) => slug)).toEqual(['default', 'short'])
    await client.fleets.disable(other.id)
    expect((await client.machines.get(machine.id)).fleets.map(({ slug }) => slug)).toEqual(['default'])
  })
})

function machine2() {
  const { id, name } = world.machine
  return { id, name, hostname: name }
}

function exec(machineId: string) {
  return { machineId, method: 'exec' as const, params: { command: 'true' } }
}

async function enroll(token: string, name: string): Promise<void> {
  const { enrollMachine } = await import('@cmdop/machine')
  await enrollMachine({ relayUrl: world.relay.url, token, dataDir: await world.folder(), name })
}
