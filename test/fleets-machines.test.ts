import type { Client } from '@cmdop/core'
import { enrollMachine } from '@cmdop/machine'
import { isCmdopError } from '@cmdop/protocol'
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
  home = (await world.client.me()).fleetId
  fleetId = (await world.client.fleets.create({ name: 'Other', slug: 'other' })).id
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
const online = (client: Client) =>
  waitFor('it is online there', async () => (await client.machines.get(world.machine.id)).presence === 'online', 20_000)

function handleOf(client: Client) {
  const { id, name } = world.machine
  return client.handle({ id, name, hostname: name })
}

describe('a machine that is moved into another fleet', () => {
  afterEach(async () => {
    await detach().catch(() => {})
    await online(world.client)
  })

  test('is of that one, and of no other, until it is moved back', async () => {
    const { client, machine } = world
    await expect(there.machines.get(machine.id)).rejects.toMatchObject({ code: 'not_found' })
    expect(await attach()).toMatchObject({ machineId: machine.id, fleetId })
    await expect(attach()).rejects.toMatchObject({ code: 'conflict' })
    await online(there)
    const role = 'member'
    expect((await there.machines.list()).items).toMatchObject([
      { id: machine.id, fleetId, fleets: [{ fleetId, slug: 'other', role }] },
    ])
    expect((await handleOf(there).exec('echo used')).stdout).toBe('used\n')
    expect((await there.machines.ping([machine.id])).get(machine.id)).not.toBeNull()
    await expect(client.machines.get(machine.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(world.handle.exec('true')).rejects.toMatchObject({ code: 'not_found' })
    expect((await client.machines.list()).items).toEqual([])
    await detach()
    await expect(detach()).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.fleets.machines.detach(machine.id)).rejects.toMatchObject({ code: 'conflict' })
    await online(client)
    expect((await world.handle.exec('echo back')).stdout).toBe('back\n')
    await expect(handleOf(there).exec('true')).rejects.toMatchObject({ code: 'not_found' })
  })

  test('ends what runs there before it comes as one of that fleet: commands, sessions, whoever waits for them', async () => {
    const running = world.handle.exec(['sleep', '601'], { orphanMs: 600_000 })
    const session = await world.handle.sessions.open({ shell: 'sh' })
    const { pid } = await waitFor('the command runs', async () => {
      const { stdout } = await world.handle.exec(`pgrep -f '^sleep 601$' || true`)
      return stdout !== '' && { pid: Number(stdout.trim()) }
    })
    await attach()
    await expect(running).rejects.toSatisfy(isCmdopError)
    await online(there)
    expect(isAlive(pid)).toBe(false)
    expect(await handleOf(there).sessions.list()).toEqual([])
    await expect(session.info()).rejects.toMatchObject({ code: 'not_found' })
  })

  test('ends what went on there without a connection, too, and stays there when its daemon starts again', async () => {
    const { machine } = world
    await machine.close()
    await attach()
    await machine.restart()
    await online(there)
    await handleOf(there).exec('true')
    await machine.restart()
    await online(there)
    await handleOf(there).exec('true')
  })

  test('is under the policy of the fleet that it is in, and what that says of it stays with that fleet', async () => {
    const { client, machine } = world
    const command = { name: 'uptime', args: ['...'] }
    const rules = [{ id: 'no', decision: 'deny' as const, command, match: ['uptime'], notMatch: ['true'] }]
    const { version } = await client.policy.get({ machineId: machine.id })
    await client.policy.set({ policy: { rules }, version }, { machineId: machine.id })
    await expect(world.handle.exec('uptime')).rejects.toMatchObject({ code: 'policy_denied' })
    await attach()
    await online(there)
    await handleOf(there).exec('uptime')
    await detach()
    await online(client)
    await expect(world.handle.exec('uptime')).rejects.toMatchObject({ code: 'policy_denied' })
    await client.policy.set({ policy: { rules: [] }, version: version + 1 }, { machineId: machine.id })
  })

  test('is in the logs of both fleets, by its id, going and coming back', async () => {
    const { client, machine } = world
    const { rawToken: token } = await client.keys.issue({ name: 'auditor', role: 'admin' }, { fleetId })
    const logs = [client, world.connect({ token })]
    for (const act of ['attach', 'detach'] as const) {
      const subject = `machine:${machine.id} ${act} ${fleetId}`
      const count = async (log: Client) => (await log.audit.getLogs({ subject })).items.length
      const before = await Promise.all(logs.map(count))
      await (act === 'attach' ? attach() : detach())
      for (const [index, log] of logs.entries())
        await waitFor('both rows are there', async () => (await count(log)) === (before[index] ?? 0) + 2)
      for (const log of logs) {
        const [outcome, intent] = (await log.audit.getLogs({ subject })).items
        const row = { action: 'machine.manage', machineId: machine.id, decision: 'allow', code: null }
        expect([intent, outcome]).toMatchObject([
          { ...row, kind: 'intent' },
          { ...row, kind: 'outcome' },
        ])
      }
    }
  })

  test('goes there only by who manages machines in both, and under a name that is free there', async () => {
    const { client, machine } = world
    const admin = await memberOf('admin')
    await expect(admin.fleets.machines.attach(machine.id)).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.fleets.machines.attach(machine.id)).rejects.toMatchObject({ code: 'conflict' })
    const { rawToken: token } = await client.keys.issue({ name: 'less', kind: 'human', role: 'member' })
    const less = world.connect({ token })
    await expect(less.fleets.machines.attach(machine.id, { fleetId })).rejects.toMatchObject({ code: 'permission' })
    const { rawToken: service } = await client.keys.issue({ name: 'ops', kind: 'service', role: 'admin' })
    const ops = world.connect({ token: service })
    await expect(ops.fleets.machines.attach(machine.id, { fleetId })).rejects.toMatchObject({ code: 'not_found' })
    // Somebody who manages machines there, and only looks at home.
    const { email } = await client.members.add({ email: 'looks@example.com', role: 'viewer' })
    const { code } = await client.members.code(email ?? '')
    const { token: lent } = await client.login.signIn({ email: email ?? '', code })
    await client.members.add({ email: email ?? '', role: 'admin' }, { fleetId })
    const looks = world.connect({ token: lent }).fleets.machines
    await expect(looks.attach(machine.id, { fleetId })).rejects.toMatchObject({ code: 'not_found' })
    const { rawToken: enrolment } = await admin.enrollmentTokens.issue()
    const taken = { relayUrl: world.relay.url, token: enrolment, dataDir: await world.folder(), name: machine.name }
    const { machineId } = await enrollMachine(taken)
    await expect(attach()).rejects.toMatchObject({ code: 'conflict' })
    expect((await client.machines.get(machine.id)).fleetId).toBe(home)
    await admin.machines.update(machineId, { name: 'renamed' })
    await attach()
  })

  test('is taken back by who manages machines at home, whatever he is there, or by who manages it there', async () => {
    const { client, machine } = world
    const { rawToken: service } = await client.keys.issue({ name: 'ops', kind: 'service', role: 'admin' })
    const ops = world.connect({ token: service })
    await attach()
    await expect(there.fleets.machines.detach(machine.id)).rejects.toMatchObject({ code: 'permission' })
    await ops.fleets.machines.detach(machine.id, { fleetId })
    const { token: invitation } = await client.members.invite({ email: 'both@example.com', role: 'admin' })
    const both = world.connect({ token: (await client.login.accept({ token: invitation })).token })
    await client.members.add({ email: 'both@example.com', role: 'viewer' }, { fleetId })
    // Also where that fleet does not even let him in.
    await client.fleets.update(fleetId, { mfaRequired: 'required' })
    await attach()
    await both.fleets.machines.detach(machine.id, { fleetId })
    await client.fleets.update(fleetId, { mfaRequired: 'optional' })
    const admin = await memberOf('admin')
    await attach()
    await admin.fleets.machines.detach(machine.id)
    expect((await client.machines.get(machine.id)).fleetId).toBe(home)
  })

  test('ends with the fleet that it is in, and is taken home from there', async () => {
    const { client, machine } = world
    const other = await client.fleets.create({ name: 'Short', slug: 'short' })
    await client.fleets.machines.attach(machine.id, { fleetId: other.id })
    await client.fleets.disable(other.id)
    await client.fleets.machines.detach(machine.id, { fleetId: other.id })
    // It waits longer each time that it is refused.
    await machine.restart()
    await online(client)
    await world.handle.exec('true')
  })
})

test('a machine that is elsewhere stays there when its home is disabled, and cannot go back', async () => {
  const { client } = world
  const { id: short } = await client.fleets.create({ name: 'Home', slug: 'short-home' })
  const { rawToken: key } = await client.keys.issue({ name: 'k', kind: 'human', role: 'admin' }, { fleetId: short })
  const { rawToken: token } = await world.connect({ token: key }).enrollmentTokens.issue()
  const { machineId } = await enrollMachine({
    relayUrl: world.relay.url,
    token,
    dataDir: await world.folder(),
    name: 'guest',
  })
  await client.fleets.machines.attach(machineId, { fleetId: home })
  await client.fleets.disable(short)
  expect(await client.machines.get(machineId)).toMatchObject({ fleetId: home, disabledAt: null })
  await expect(client.fleets.machines.detach(machineId)).rejects.toMatchObject({ code: 'conflict' })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
