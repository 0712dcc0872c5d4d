import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

test('a relay that is closed takes no new call, and lets a running command end first', async () => {
  await using world = await startWorld()
  const go = Promise.withResolvers<Uint8Array>()
  const stdin = async function* () {
    yield await go.promise
  }
  const running = world.handle.exec(['cat'], { stdin: stdin() })
  await waitFor('it runs', async () => (await metric(world.relay, 'cmdop_channels_open')) === 1)
  const closed = world.relay.close()
  await expect(world.handle.exec('true')).rejects.toMatchObject({ code: 'unavailable', retryable: true })
  const health = await fetch(`${world.relay.url}/health`)
  expect([health.status, await health.json()]).toMatchObject([503, { status: 'draining' }])
  go.resolve(Buffer.from('to the end'))
  expect(await running).toMatchObject({ stdout: 'to the end' })
  await closed
  await expect(world.client.me()).rejects.toMatchObject({ code: 'connection' })
})

test('a relay that is closed does not wait for a command longer than it is told', async () => {
  const mark = newMark()
  await using world = await startWorld({ relay: { drainMs: 200 } })
  const running = world.handle.exec('sleep 1000', { orphanMs: 500, env: { MARK: mark } })
  const error = running.then(undefined, (caught) => caught)
  await whenRunning(mark)
  const startedAt = performance.now()
  await world.relay.close()
  expect(performance.now() - startedAt).toBeLessThan(2000)
  expect(await error).toMatchObject({ code: 'connection' })
  await whenGone(mark)
})

test('a relay can be closed while clients and machines are connected, and started again for them', async () => {
  await using world = await startWorld({ machines: 2 })
  await world.handle.exec('true')
  await world.relay.restart()
  for (const machine of world.machines) await world.whenOnline(machine)
  expect(await world.handle.exec('echo again')).toMatchObject({ stdout: 'again\n' })
})

async function metric(relay: { url: string; firstKey: string }, name: string): Promise<number> {
  const answer = await fetch(`${relay.url}/metrics`, { headers: { authorization: `Bearer ${relay.firstKey}` } })
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await answer.text())?.[1])
}

test.each(['/nope', '/api/channel'])(
  'a caller of %s that keeps its side open is let go, and does not hold up the close',
  async (path) => {
    await using world = await startWorld({ machines: 0 })
    const { hostname, port } = new URL(world.relay.url)
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    socket.on('error', () => {})
    const upgrade = [
      'GET ' + path,
      'HTTP/1.1\r\nHost: relay\r\nOrigin: https://elsewhere.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
    ]
    socket.write(`${upgrade.join(' ')}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1.1 40[34] /)
    await world.relay.close()
    socket.destroy()
  },
)
