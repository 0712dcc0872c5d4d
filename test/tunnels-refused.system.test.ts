import type { CmdopError } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { dial, startEcho, startService } from './tunnel-services.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

test('What the relay denies is not reached by a name that leads there either', async () => {
  await using world = await startWorld({ relay: { tunnelDeny: ['127.0.0.0/8', '::1'] } })
  await using echo = await startEcho()
  for (const host of ['127.0.0.1', 'localhost', '2130706433', '127.1']) {
    const failure = Promise.withResolvers<CmdopError>()
    const target = { machineId: world.machine.id, port: echo.port, host }
    await using listener = await world.client.tunnels.listen(target, { onError: failure.resolve })
    const socket = await dial(listener.port)
    expect(`${host} ${(await failure.promise).code}`).toBe(`${host} permission`)
    socket.destroy()
  }
  expect(echo.open.size).toBe(0)
})

test.each([
  ['ops.example', 'https://ops.example'],
  ['example', 'https://ops.example'],
  ['tunnels.ops.example', 'https://ops.example:8443'],
])('A relay does not start with %s for tunnels at %s, and says why', async (tunnelDomain, publicUrl) => {
  await expect(startWorld({ machines: 0, relay: { tunnelDomain, publicUrl } })).rejects.toMatchObject({
    code: 'config',
    message: expect.stringContaining('choose another domain'),
  })
})

test('A relay starts with a domain for tunnels that only sounds like its own', async () => {
  const relay = { tunnelDomain: 'myops.example', publicUrl: 'https://ops.example' }
  await using world = await startWorld({ machines: 0, relay })
  expect(world.relay.url).toMatch(/^http/)
})

test('Connections that come while their tunnel is closed end with it, and none is left', async () => {
  await using world = await startWorld()
  await using echo = await startEcho()
  for (let round = 0; round < 3; round += 1) {
    const given = { machineId: world.machine.id, localPort: echo.port, protocol: 'tcp' }
    const { tunnelId } = await world.client.tunnels.open(given)
    await using listener = await world.client.tunnels.listen(tunnelId)
    const sockets = await Promise.all(Array.from({ length: 8 }, () => dial(listener.port)))
    const ended = sockets.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve)))
    for (const socket of sockets) socket.write('x')
    await world.client.tunnels.close(tunnelId)
    await Promise.all(ended)
    await waitFor('the target learns it', () => echo.open.size === 0)
  }
})

test('A machine that is disabled ends its connections, also those that its client holds ready', async () => {
  await using world = await startWorld()
  await using echo = await startEcho()
  await using listener = await world.client.tunnels.listen({ machineId: world.machine.id, port: echo.port })
  const sockets = await Promise.all(Array.from({ length: 3 }, () => dial(listener.port)))
  const ended = sockets.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve)))
  for (const socket of sockets) socket.write('x')
  await waitFor('all are carried', () => echo.open.size === 3)
  await world.client.machines.disable(world.machine.id)
  await waitFor('the target learns it', () => echo.open.size === 0)
  await Promise.all(ended)
})

test('A listener closes also where somebody has never read what came', async () => {
  await using world = await startWorld()
  let bytes = 0
  await using source = await startService((socket) => {
    bytes += 512 * 1024
    socket.resume().end(Buffer.alloc(bytes))
  })
  const listener = await world.client.tunnels.listen({ machineId: world.machine.id, port: source.port })
  const sockets = await Promise.all(Array.from({ length: 12 }, () => dial(listener.port)))
  for (const socket of sockets) socket.pause().end()
  await waitFor('all have begun', () => sockets.every((socket) => socket.readableLength > 0 || socket.bytesRead > 0))
  await listener.close()
  expect(listener.connections).toBe(0)
  for (const socket of sockets) socket.destroy()
})
