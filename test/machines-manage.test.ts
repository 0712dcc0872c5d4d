import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isCmdopError } from '@cmdop/protocol'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
})
afterAll(() => world[Symbol.asyncDispose]())

describe('a machine', () => {
  test('says what it is: system, user, hardware and key, and null for what nobody knows', async () => {
    const { client, machine } = world
    const detail = await client.machines.get(machine.id)
    const me = await client.me()
    expect(detail).toMatchObject({
      id: machine.id,
      presence: 'online',
      isJarvis: false,
      isRoot: process.getuid?.() === 0,
      kernelVersion: expect.any(String),
      username: expect.any(String),
      deviceId: null,
      publicKeyStatus: 'active',
      publicKeyVersion: 1,
      publicKeyRegisteredAt: detail.createdAt,
      createdById: me.principalId,
      disabledAt: null,
      liveMetrics: null,
      fleets: [{ fleetId: me.fleetId, slug: 'default', name: me.fleetName, role: 'owner' }],
    })
    expect(detail.publicKey).toContain('BEGIN PUBLIC KEY')
    expect(detail.specs?.cpuCount).toBeGreaterThan(0)
    expect(detail.specs?.totalRamBytes).toBeGreaterThan(0)
    expect(detail.lastHeartbeatAt).toBe(detail.lastSeenAt)
  })

  test('is measured when somebody asks for it, and what was measured stays when it is away', async () => {
    const { client } = world
    const away = world.machines[1]
    if (away === undefined) throw new Error('The world has two machines.')
    const info = await client.machines.info(away.id)
    expect(info).toMatchObject({
      liveState: { stale: false, recordedAt: expect.any(String) },
      session: { connectedAt: expect.any(String), reconnectCount24h: 0, tokenExpiresAt: null },
      presence: { status: 'healthy' },
      fingerprint: { publicKeyStatus: 'active', publicKeyVersion: 1 },
    })
    expect(info.liveState.memoryTotalGb).toBeGreaterThan(0)
    expect((await client.machines.get(away.id)).liveMetrics?.recordedAt).toBe(info.liveState.recordedAt)
    await away.close()
    await waitFor('it is gone', async () => (await client.machines.get(away.id)).presence !== 'online')
    const stale = await client.machines.info(away.id)
    expect(stale.liveState).toEqual({ ...info.liveState, stale: true })
    expect(stale.presence.status).not.toBe('healthy')
    await away.restart()
    await world.whenOnline(away)
    expect((await client.machines.info(away.id)).session.reconnectCount24h).toBe(1)
  })

  test('gets another name, which no other machine of the fleet has; labels stay, and calls know it by that at once', async () => {
    const { client, machine } = world
    await client.machines.label(machine.id, { role: 'web' })
    const renamed = await client.machines.update(machine.id, { name: 'renamed' })
    expect(renamed).toMatchObject({ name: 'renamed', labels: { role: 'web' } })
    expect((await client.machine('renamed')).id).toBe(machine.id)
    const taken = client.machines.update(machine.id, { name: world.machines[1]?.name })
    await expect(taken).rejects.toMatchObject({ code: 'conflict' })
    expect((await client.machines.update(machine.id, { labels: { role: null, zone: 'a' } })).name).toBe('renamed')
    expect(await client.machines.labels(machine.id)).toEqual({ zone: 'a' })
    await expect(client.machines.update(machine.id, {})).rejects.toMatchObject({ code: 'validation' })
    await client.machines.update(machine.id, { name: machine.name })
  })
})

describe('a machine that is disabled', () => {
  test('ends at once what runs there, sessions too, and is reached by nobody; enabled again it comes back', async () => {
    const { client, machine, handle } = world
    const running = handle.exec(['sleep', '600'], { orphanMs: 600_000 })
    const session = await handle.sessions.open({ shell: 'sh' })
    const { pid } = await waitFor('the command runs', async () => {
      const { stdout } = await handle.exec(`pgrep -f '^sleep 600$' || true`)
      return stdout !== '' && { pid: Number(stdout.trim()) }
    })
    await client.machines.disable(machine.id)
    await expect(running).rejects.toSatisfy(isCmdopError)
    await waitFor('the command is gone', () => !isAlive(pid))
    const detail = await client.machines.get(machine.id)
    expect(detail).toMatchObject({ disabledAt: expect.any(String), publicKeyStatus: 'disabled' })
    await expect(handle.exec('true')).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.machines.resolve(machine.name)).rejects.toMatchObject({ code: 'not_found' })
    expect((await client.machines.list()).items.map(({ id }) => id)).not.toContain(machine.id)
    expect((await client.machines.list({ disabled: true })).items.map(({ id }) => id)).toEqual([machine.id])
    // Doing it again changes nothing.
    await client.machines.disable(machine.id)
    expect((await client.machines.get(machine.id)).disabledAt).toBe(detail.disabledAt)
    expect((await client.machines.enable(machine.id)).disabledAt).toBeNull()
    await client.machines.enable(machine.id)
    await world.whenOnline(machine)
    await handle.exec('true')
    expect((await session.info()).state).toBe('ended')
  })

  test('stays so when its daemon and the relay start again', async () => {
    const { client, machine } = world
    await client.machines.disable(machine.id)
    await machine.restart()
    await world.relay.restart()
    await waitFor('the relay answers', () => client.me().catch(() => undefined))
    expect((await client.machines.get(machine.id)).presence).not.toBe('online')
    await expect(world.handle.exec('true')).rejects.toMatchObject({ code: 'not_found' })
    await client.machines.enable(machine.id)
    await machine.restart()
    await world.whenOnline(machine)
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
