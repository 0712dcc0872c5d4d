import type { CmdopError } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { dial, startEcho } from './tunnel-services.ts'
import { startTwoRelays } from './two-relays.ts'
import { waitFor } from './wait-for.ts'

test('A tunnel has no more connections at once than it may, through however many relays they come', async () => {
  await using world = await startTwoRelays()
  await using echo = await startEcho()
  const client = world.connect(world.one)
  const { tunnelId } = await client.tunnels.open({
    machineId: world.machineId,
    localPort: echo.port,
    protocol: 'tcp',
    options: { maxConnections: 2 },
  })
  const refused: CmdopError[] = []
  const onError = (error: CmdopError) => refused.push(error)
  await using one = await client.tunnels.listen(tunnelId, { onError })
  await using two = await world.connect(world.two).tunnels.listen(tunnelId, { onError })
  /** A connection that has carried a byte; undefined where it was broken off before. */
  const opened = async (port: number) => {
    const socket = await dial(port)
    socket.write('x')
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('data', () => resolve(true)).once('close', () => resolve(false))
    })
    return isOpen ? socket : undefined
  }
  const first = await opened(one.port)
  const second = await opened(two.port)
  expect([first, second]).not.toContain(undefined)
  // Each relay carries one of them.
  for (const { port } of [one, two]) expect(await opened(port)).toBeUndefined()
  const full = { code: 'rate_limit', message: 'The tunnel has 2 connections, as many as it may; try later.' }
  expect(refused).toMatchObject([full, full])
  expect(echo.open.size).toBe(2)
  first?.destroy()
  await waitFor('there is room again, also at the other relay', async () => opened(two.port))
})
