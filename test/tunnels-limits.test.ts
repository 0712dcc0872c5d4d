import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Client, ForwardTarget } from '@cmdop/core'
import type { CmdopError } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addFleet } from './fleets.ts'
import { invitePerson } from './people.ts'
import { dial, readAll, type Service, startEcho, startService } from './tunnel-services.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let echo: Service
beforeAll(async () => {
  world = await startWorld()
  echo = await startEcho()
})
afterAll(async () => {
  await echo[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

const options = (given: Record<string, unknown> = {}) => ({
  machineId: world.machine.id,
  localPort: echo.port,
  protocol: 'tcp',
  options: given,
})

/** Why a connection through a listener of this target is broken off. */
async function refusal(client: Client, target: string | ForwardTarget): Promise<CmdopError> {
  const failure = Promise.withResolvers<CmdopError>()
  await using _ = await client.tunnels.listen(target, { onError: failure.resolve })
  const socket = await dial(_.port)
  socket.write('x')
  socket.resume()
  return await failure.promise
}

/** A connection that has carried a byte. */
async function open(port: number) {
  const socket = await dial(port)
  socket.write('x')
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve())
    socket.once('close', () => reject(new Error('The connection was closed before it carried a byte.')))
  })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  return { socket, closed }
}

/** Its time is over, and the relay looks at all tunnels at once: somebody's rights have changed. */
async function expireNow(tunnelId: string): Promise<void> {
  using database = new DatabaseSync(join(world.relay.dataDir, 'relay.sqlite'), { timeout: 10_000 })
  const sql = 'update tunnels set expires_at = ? where id = ?'
  expect(database.prepare(sql).run(new Date(Date.now() - 1000).toISOString(), tunnelId).changes).toBe(1)
  const { id } = await invitePerson(world, `changed-${randomUUID()}`, 'member')
  await world.client.members.setRole(id, 'viewer')
}

describe('a tunnel', () => {
  test.each([
    '169.254.169.254',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '2852039166',
    'metadata.google.internal',
    'fe80::1',
  ])('never leads to %s', async (localHost) => {
    const target = { machineId: world.machine.id, port: 80, host: localHost }
    const isResolved = localHost === '2852039166'
    if (!isResolved)
      await expect(world.client.tunnels.open({ ...options(), localHost })).rejects.toMatchObject({ code: 'permission' })
    expect((await refusal(world.client, target)).code).toBe('permission')
  })

  test('carries no udp, and says so', async () => {
    await expect(world.client.tunnels.open({ ...options(), protocol: 'udp' })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('udp'),
    })
    await expect(world.client.tunnels.open({ ...options(), protocol: 'gopher' })).rejects.toMatchObject({
      code: 'validation',
    })
  })

  test('of another fleet is not there, and a viewer opens none and goes through none', async () => {
    const { tunnelId } = await world.client.tunnels.open(options())
    const spy = world.connect({ token: (await addFleet(await world.openStore())).raw })
    await expect(spy.tunnels.get(tunnelId)).rejects.toMatchObject({ code: 'not_found' })
    const target = { tunnelId, machineId: world.machine.id, port: echo.port }
    expect((await refusal(spy, target)).code).toBe('not_found')
    const { client: viewer } = await invitePerson(world, `viewer-${randomUUID()}`, 'viewer')
    await expect(viewer.tunnels.open(options())).rejects.toMatchObject({ code: 'permission' })
    expect((await refusal(viewer, target)).code).toBe('permission')
  })

  test('is counted with its machine, for who may see it, until it is closed', async () => {
    const count = async (client: Client) => (await client.machines.info(world.machine.id)).session.tunnelCountActive
    const before = (await count(world.client)) ?? 0
    const { tunnelId } = await world.client.tunnels.open(options())
    expect(await count(world.client)).toBe(before + 1)
    const { client: viewer } = await invitePerson(world, `viewer-${randomUUID()}`, 'viewer')
    expect(await count(viewer)).toBeNull()
    await world.client.tunnels.close(tunnelId)
    expect(await count(world.client)).toBe(before)
  })

  test('takes no connection that leads elsewhere, nor of another machine', async () => {
    const { tunnelId } = await world.client.tunnels.open(options())
    const target = { tunnelId, machineId: world.machine.id, port: echo.port }
    expect((await refusal(world.client, { ...target, port: echo.port + 1 })).code).toBe('validation')
    expect((await refusal(world.client, { ...target, host: 'localhost' })).code).toBe('validation')
  })

  test('ends its connections at once when it is closed, and closing it again does nothing', async () => {
    const { tunnelId } = await world.client.tunnels.open(options())
    await using listener = await world.client.tunnels.listen(tunnelId)
    const { closed } = await open(listener.port)
    await world.client.tunnels.close(tunnelId)
    await closed
    await waitFor('the target learns it', () => echo.open.size === 0)
    await world.client.tunnels.close(tunnelId)
    expect(await world.client.tunnels.get(tunnelId)).toMatchObject({ state: 'closed', closedReason: 'asked' })
    expect((await Array.fromAsync(world.client.tunnels.iter())).map((each) => each.tunnelId)).not.toContain(tunnelId)
    expect((await refusal(world.client, tunnelId)).code).toBe('not_found')
  })

  test('ends with its time', async () => {
    const { tunnelId } = await world.client.tunnels.open(options())
    await using listener = await world.client.tunnels.listen(tunnelId)
    const { closed } = await open(listener.port)
    await expireNow(tunnelId)
    await closed
    const closedTunnel = await waitFor('it is closed', async () => {
      const tunnel = await world.client.tunnels.get(tunnelId)
      return tunnel.state === 'closed' ? tunnel : undefined
    })
    expect(closedTunnel.closedReason).toBe('expired')
  })

  test('ends by itself when its time is over, and its connections with it', async () => {
    await expect(world.client.tunnels.open(options({ ttlSeconds: 0 }))).rejects.toMatchObject({ code: 'validation' })
    const { createdAt, expiresAt, tunnelId } = await world.client.tunnels.open(options({ ttlSeconds: 2 }))
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(2000)
    await using listener = await world.client.tunnels.listen(tunnelId)
    const { closed } = await open(listener.port)
    await closed
    const tunnel = await waitFor('it is closed', async () => {
      const found = await world.client.tunnels.get(tunnelId)
      return found.state === 'closed' ? found : undefined
    })
    expect(tunnel.closedReason).toBe('expired')
    const lateMs = Date.parse(tunnel.closedAt ?? '') - Date.parse(expiresAt)
    // On time, and not when all tunnels are looked at.
    expect(lateMs).toBeGreaterThanOrEqual(0)
    expect(lateMs).toBeLessThan(5000)
    await waitFor('the target learns it', () => echo.open.size === 0)
    const { items } = await world.client.audit.getLogs({ action: 'tunnel.close', limit: 20 })
    expect(items.map(({ subject }) => subject)).toContain(`tunnel:${tunnelId} expired`)
    expect((await refusal(world.client, tunnelId)).code).toBe('not_found')
  })

  test('ends when who opened it may not any more, also for others who go through it', async () => {
    const name = `opener-${randomUUID()}`
    const { client: opener, id } = await invitePerson(world, name, 'member')
    const { tunnelId } = await opener.tunnels.open(options())
    await using listener = await world.client.tunnels.listen(tunnelId)
    const { closed } = await open(listener.port)
    await world.client.members.setRole(id, 'viewer')
    await closed
    await waitFor('it is closed', async () => (await world.client.tunnels.get(tunnelId)).closedReason === 'right')
  })

  test('has no more connections, bytes and peers than it may', async () => {
    const few = await world.client.tunnels.open(options({ maxConnections: 1 }))
    await using listener = await world.client.tunnels.listen(few.tunnelId)
    const { socket } = await open(listener.port)
    expect((await refusal(world.client, few.tunnelId)).code).toBe('rate_limit')
    socket.destroy()
    await waitFor('there is room again', async () => {
      const next = await dial(listener.port)
      next.end('y')
      return (await readAll(next).catch(() => '')).toString() === 'y'
    })

    const short = await world.client.tunnels.open(options({ maxBytes: 100_000 }))
    await using small = await world.client.tunnels.listen(short.tunnelId)
    const filled = await open(small.port)
    filled.socket.resume()
    filled.socket.write(Buffer.alloc(100_000))
    await filled.closed
    const full = await waitFor('it is closed', async () => {
      const tunnel = await world.client.tunnels.get(short.tunnelId)
      return tunnel.state === 'closed' ? tunnel : undefined
    })
    expect(full.closedReason).toBe('bytes')

    const far = await world.client.tunnels.open(options({ allowedPeers: ['192.0.2.0/24'] }))
    expect((await refusal(world.client, far.tunnelId)).code).toBe('permission')
  })

  test('is written down: who opened and closed it, and every connection with its bytes and its time', async () => {
    const { tunnelId } = await world.client.tunnels.open(options())
    await using listener = await world.client.tunnels.listen(tunnelId)
    const socket = await dial(listener.port)
    socket.end('hello')
    await readAll(socket)
    await world.client.tunnels.close(tunnelId)
    const rows = await waitFor('the outcome is there', async () => {
      const { items } = await world.client.audit.getLogs({ action: 'tunnel.connect', limit: 20 })
      const found = items.filter(({ subject }) => subject?.startsWith(`tunnel:${tunnelId}`))
      return found.some(({ kind }) => kind === 'outcome') ? found : undefined
    })
    const outcome = rows.find(({ kind }) => kind === 'outcome')
    expect(outcome).toMatchObject({ bytes: 10, code: null, machineId: world.machine.id })
    expect(outcome?.subject).toBe(`tunnel:${tunnelId} to 127.0.0.1:${echo.port} from 127.0.0.1`)
    expect(outcome?.durationMs).toBeGreaterThanOrEqual(0)
    const { items: acts } = await world.client.audit.getLogs({ action: 'tunnel.open', limit: 5 })
    expect(acts.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining([`tunnel:${tunnelId} close`, `tunnel:${tunnelId} open tcp 127.0.0.1:${echo.port}`]),
    )
    expect(await world.client.tunnels.get(tunnelId)).toMatchObject({ bytes: 10, connections: 1 })
  })
})

test('A reader that stands still slows the target, and nothing grows on the way', async () => {
  let written = 0
  await using source = await startService((socket) => {
    const block = Buffer.alloc(64 * 1024)
    const push = () => {
      for (let more = true; more && !socket.destroyed;) {
        more = socket.write(block)
        written += block.length
      }
    }
    socket.on('drain', push)
    push()
  })
  await using listener = await world.client.tunnels.listen({ machineId: world.machine.id, port: source.port })
  const socket = await dial(listener.port)
  socket.pause()
  let before = -1
  let standing = 0
  await waitFor('the target waits', () => {
    standing = written > 0 && written === before ? standing + 1 : 0
    before = written
    return standing === 30
  })
  // Windows, sockets and their buffers in the kernel; no more, however long it takes.
  expect(written).toBeLessThan(64 * 1024 * 1024)
  socket.destroy()
})
