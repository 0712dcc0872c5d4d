import type { CmdopError } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { startTcpProxy } from './tcp-proxy.ts'
import {
  dial,
  hashAll,
  hashOfBlocks,
  readAll,
  sendBlocks,
  startEcho,
  startHasher,
  startSource,
} from './tunnel-services.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

const MB = 1024 * 1024

test('A port of a machine is reached through a port of this computer, each direction ending by itself', async () => {
  await using world = await startWorld()
  await using hasher = await startHasher()
  await using echo = await startEcho()
  const tunnel = await world.client.tunnels.open({
    machineId: world.machine.id,
    localPort: hasher.port,
    protocol: 'tcp',
  })
  await using listener = await world.client.tunnels.listen(tunnel.tunnelId)
  const socket = await dial(listener.port)
  const [, answer] = await Promise.all([sendBlocks(socket, MB), readAll(socket)])
  expect(answer.toString()).toBe(hashOfBlocks(MB))
  await using forward = await world.client.tunnels.listen({ machineId: world.machine.id, port: echo.port })
  const spoken = await dial(forward.port)
  spoken.end('hello')
  expect((await readAll(spoken)).toString()).toBe('hello')
})

test('A connection goes on byte for byte when the way of the machine is cut, both ways at once', async () => {
  await using world = await startWorld({ machines: 0 })
  await using proxy = await startTcpProxy(world.relay.url)
  const machine = await world.addMachine('cut', proxy.url)
  const bytes = 8 * MB
  await using hasher = await startHasher()
  await using source = await startSource(bytes)
  await using up = await world.client.tunnels.listen({ machineId: machine.id, port: hasher.port })
  await using down = await world.client.tunnels.listen({ machineId: machine.id, port: source.port })
  const [sender, receiver] = await Promise.all([dial(up.port), dial(down.port)])
  let cuts = 0
  const cutAt = (limit: number) => (total: number) => {
    if (total < limit || cuts >= 2) return
    cuts += 1
    proxy.cut()
  }
  const [, answer, hash] = await Promise.all([
    sendBlocks(sender, bytes, cutAt(5 * MB)),
    readAll(sender),
    hashAll(receiver, cutAt(3 * MB)),
  ])
  expect(cuts).toBe(2)
  expect(answer.toString()).toBe(hashOfBlocks(bytes))
  expect(hash).toBe(hashOfBlocks(bytes))
})

test('A tunnel, its listener and its connections go on when the relay is restarted', async () => {
  await using world = await startWorld({ relay: { drainMs: 0 } })
  await using echo = await startEcho()
  const given = { machineId: world.machine.id, localPort: echo.port, protocol: 'tcp' }
  const { tunnelId } = await world.client.tunnels.open(given)
  await using listener = await world.client.tunnels.listen(tunnelId)
  const socket = await dial(listener.port)
  const answers = readAll(socket)
  socket.write('before ')
  await waitFor('it is carried', () => echo.open.size === 1)
  await world.relay.restart()
  socket.end('after')
  expect((await answers).toString()).toBe('before after')
  expect(await world.client.tunnels.get(tunnelId)).toMatchObject({ state: 'active' })
})

test('Connections that follow one another closely are carried like others, and none is left of them', async () => {
  await using world = await startWorld()
  const echo = await startEcho()
  const failures: CmdopError[] = []
  const target = { machineId: world.machine.id, port: echo.port }
  const listener = await world.client.tunnels.listen(target, { onError: (error) => failures.push(error) })
  const say = async (text: string) => {
    const socket = await dial(listener.port)
    socket.end(text)
    return (await readAll(socket)).toString()
  }
  for (let count = 0; count < 8; count += 1) expect(await say(`one ${count}`)).toBe(`one ${count}`)
  const texts = Array.from({ length: 12 }, (_, count) => `many ${count} ${'x'.repeat(100_000)}`)
  expect(await Promise.all(texts.map(say))).toEqual(texts)
  expect(failures).toEqual([])
  await echo[Symbol.asyncDispose]()
  await expect(say('nobody')).rejects.toThrow()
  await waitFor('it is said why', () => failures[0])
  expect(failures[0]).toMatchObject({ code: 'unavailable', details: { reason: 'ECONNREFUSED' } })
  await listener.close()
  await waitFor('every connection has an outcome', async () => {
    const { items } = await world.client.audit.getLogs({ action: 'tunnel.connect', limit: 200 })
    const count = (kind: string) => items.filter((row) => row.kind === kind).length
    return count('intent') >= 21 && count('intent') === count('outcome')
  })
})

test('New connections find the machine again right behind the loss of its way', async () => {
  await using world = await startWorld({ machines: 0 })
  await using proxy = await startTcpProxy(world.relay.url)
  const machine = await world.addMachine('cut', proxy.url)
  await using echo = await startEcho()
  await using listener = await world.client.tunnels.listen({ machineId: machine.id, port: echo.port })
  for (let round = 0; round < 2; round += 1) {
    for (let count = 0; count < 4; count += 1) {
      const socket = await dial(listener.port)
      socket.end(`${round} ${count}`)
      expect((await readAll(socket)).toString()).toBe(`${round} ${count}`)
    }
    proxy.cut()
  }
  const last = await dial(listener.port)
  last.end('last')
  expect((await readAll(last)).toString()).toBe('last')
})

test('What nothing listens on breaks the connection off, and says why', async () => {
  await using world = await startWorld()
  // That of tcpmux, which nobody runs: one that was free a moment ago may be somebody's by now.
  const port = 1
  const failure = Promise.withResolvers<Error>()
  await using listener = await world.client.tunnels.listen(
    { machineId: world.machine.id, port },
    { onError: failure.resolve },
  )
  const socket = await dial(listener.port)
  await new Promise((resolve) => socket.once('close', resolve))
  await expect(failure.promise).resolves.toMatchObject({ code: 'unavailable', details: { reason: 'ECONNREFUSED' } })
})
