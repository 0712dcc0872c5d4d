import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startTcpProxy } from './tcp-proxy.ts'
import { ask, startSite, visit } from './tunnel-pages.ts'
import { blocksOf, hashOfBlocks } from './tunnel-services.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

const MB = 1024 * 1024
const domain = 'tunnels.test'

/** A world whose relay has a domain for tunnels. */
const startPublicWorld = (machines = 1) => startWorld({ machines, relay: { tunnelDomain: domain } })

/** A tunnel that everybody may visit. */
async function openToAll(world: World, port: number, machineId = world.machine.id) {
  const { publicUrl } = await world.client.tunnels.open({ machineId, localPort: port, options: { auth: 'none' } })
  return new URL(publicUrl ?? '').host
}

test('A page, events and a WebSocket of a machine are reached at the subdomain of a tunnel', async () => {
  await using world = await startPublicWorld()
  await using site = await startSite()
  const host = await openToAll(world, site.port)
  const { url } = world.relay
  const page = await visit(url, host)
  expect([page.status, page.body, page.headers['content-type']]).toEqual([200, '<h1>It works</h1>', 'text/html'])

  const events = ask(url, host, { path: '/events' })
  events.end()
  const [stream] = (await once(events, 'response')) as [IncomingMessage]
  await waitFor('the stream is open', () => site.streams === 1)
  for (const event of ['one', 'two']) {
    site.emit(event)
    const [data] = (await once(stream, 'data')) as [Buffer]
    expect(data.toString()).toBe(`data: ${event}\n\n`)
  }
  events.destroy()
  await waitFor('the target learns that nobody listens', () => site.streams === 0)

  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket`, { headers: { host } })
  await once(socket, 'open')
  socket.send('hello')
  const [said] = (await once(socket, 'message')) as [Buffer]
  expect(said.toString()).toBe('hello')
  socket.close()
  await once(socket, 'close')
})

test('Each visit is a row with its bytes, which ends well when the visit does', async () => {
  await using world = await startPublicWorld()
  await using site = await startSite()
  const host = await openToAll(world, site.port)
  await visit(world.relay.url, host)
  await visit(world.relay.url, host, { path: `/bytes/${MB}` })
  const outcomes = await waitFor('both have an outcome', async () => {
    const { items } = await world.client.audit.getLogs({ action: 'tunnel.connect', limit: 20 })
    const found = items.filter(({ kind }) => kind === 'outcome')
    return found.length === 2 ? found : undefined
  })
  expect(outcomes.map(({ code }) => code)).toEqual([null, null])
  expect(outcomes[0]?.bytes).toBeGreaterThan(MB)
})

test('Uploads and downloads go on byte for byte when the way of the machine is cut', async () => {
  await using world = await startPublicWorld(0)
  await using proxy = await startTcpProxy(world.relay.url)
  const machine = await world.addMachine('cut', proxy.url)
  await using site = await startSite()
  const host = await openToAll(world, site.port, machine.id)
  const bytes = 6 * MB
  const upload = ask(world.relay.url, host, { path: '/sha256', method: 'POST' })
  const download = ask(world.relay.url, host, { path: `/bytes/${bytes}` })
  download.end()
  const answered = once(upload, 'response')
  const cutOnce = () => {
    if (!isCut) proxy.cut()
    isCut = true
  }
  let isCut = false
  const hash = createHash('sha256')
  let got = 0
  const [received] = (await once(download, 'response')) as [IncomingMessage]
  received.on('data', (data: Buffer) => {
    hash.update(data)
    got += data.length
    if (got > 2 * MB) cutOnce()
  })
  await Promise.all([pipeline(Readable.from(blocksOf(bytes)), upload), once(received, 'end')])
  const [answer] = (await answered) as [IncomingMessage]
  expect(isCut).toBe(true)
  expect(await text(answer)).toBe(hashOfBlocks(bytes))
  expect(hash.digest('hex')).toBe(hashOfBlocks(bytes))
})
