import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Site, startSite, visit } from './tunnel-pages.ts'
import { type Service, startService } from './tunnel-services.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let site: Site
beforeAll(async () => {
  world = await startWorld({ relay: { tunnelDomain: 'tunnels.test' } })
  site = await startSite()
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

/** The host of a tunnel to this port that everybody may visit. */
async function openTo(localPort: number) {
  const given = { machineId: world.machine.id, localPort, options: { auth: 'none' as const } }
  return new URL((await world.client.tunnels.open(given)).publicUrl ?? '').host
}

const socketTo = () => connect(Number(new URL(world.relay.url).port), '127.0.0.1').on('error', () => {})

const upgradeOf = (host: string) =>
  `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`

/** Answers every connection with exactly this, once something was said. */
const startSaying = (answer: string): Promise<Service> =>
  startService((socket) => void socket.once('data', () => socket.end(Buffer.from(answer, 'latin1'))))

/** The first line that the relay answers to exactly this. */
async function firstLine(text: string): Promise<string> {
  const socket = socketTo()
  socket.write(text)
  const data = await new Promise<Buffer>((resolve) => {
    socket.once('data', resolve)
    socket.once('close', () => resolve(Buffer.alloc(0)))
  })
  socket.destroy()
  return data.toString().split('\r\n', 1)[0] ?? ''
}

test('Only a change to WebSocket without a body is made; whatever else asks for one is a request like others', async () => {
  const host = await openTo(site.port)
  const asking = (upgrade: string) =>
    `POST /sha256 HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nContent-Length: 2\r\n\r\nab`
  for (const upgrade of ['h2c', 'websocket']) {
    expect(await firstLine(asking(upgrade))).toBe('HTTP/1.1 200 OK')
    expect(site.seen?.headers).not.toHaveProperty('upgrade')
  }
})

test('A visitor who asks for a WebSocket and breaks off at once costs nobody else anything', async () => {
  const host = await openTo(site.port)
  for (let round = 0; round < 20; round += 1) {
    const socket = socketTo()
    await once(socket, 'connect')
    socket.write(upgradeOf(host))
    // Some before the relay has looked the tunnel up, some after.
    for (let turn = 0; turn < round % 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    socket.resetAndDestroy()
  }
  expect((await visit(world.relay.url, host)).status).toBe(200)
})

test('A visitor who breaks off before the target has changed the protocol ends the connection there', async () => {
  const asked = Promise.withResolvers<() => void>()
  await using target = await startService((socket) => {
    const change = () => socket.write('HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    socket.once('data', () => asked.resolve(change))
  })
  const host = await openTo(target.port)
  const socket = socketTo()
  socket.write(upgradeOf(host))
  const change = await asked.promise
  socket.resetAndDestroy()
  change()
  await waitFor('the target learns it', () => target.open.size === 0)
})

test.each([
  ['a status that HTTP does not have', 'HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n', '502 Bad Gateway'],
  ['control characters in its status line', 'HTTP/1.1 200 a\x01b\x7f\r\nContent-Length: 0\r\n\r\n', ''],
  ['letters beyond ASCII in its status line', 'HTTP/1.1 200 \xe9\xff\r\nContent-Length: 0\r\n\r\n', '200 OK'],
  [
    'a protocol that nobody asked for',
    'HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: y\r\n\r\n',
    '502 Bad Gateway',
  ],
  ['control characters in a header', 'HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0\r\n\r\n', ''],
])('A target that answers with %s does the relay no harm', async (_, answer, expected) => {
  await using target = await startSaying(answer)
  const host = await openTo(target.port)
  const asked = await firstLine(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  expect(asked).toMatch(expected === '' ? /^HTTP\/1\.1 (?:200 OK|502 Bad Gateway)$/ : `HTTP/1.1 ${expected}`)
  expect(await firstLine(upgradeOf(host))).toMatch(/^HTTP\/1\.1 (?:101|200|502) /)
  expect((await visit(world.relay.url, await openTo(site.port))).status).toBe(200)
})
