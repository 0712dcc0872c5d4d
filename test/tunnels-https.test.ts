import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { Client } from '@cmdop/core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Site, startSite, visit } from './tunnel-pages.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

type Options = Parameters<Client['tunnels']['open']>[0]['options']

const fixture = (name: string) => readFile(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
const known = getCACertificates('default')

let world: World
let site: Site
/** Of 127.0.0.1 and localhost, signed by itself. */
let certificate = ''
beforeAll(async () => {
  certificate = await fixture('loopback-certificate.pem')
  world = await startWorld({ relay: { tunnelDomain: 'tunnels.test' } })
  site = await startSite({ cert: certificate, key: await fixture('loopback-key.pem') })
})
afterEach(() => setDefaultCACertificates(known))
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await world[Symbol.asyncDispose]()
})

/** The machine takes the certificate from now on. */
const trust = () => setDefaultCACertificates([...known, certificate])

async function open(options: Options = {}, localHost = '127.0.0.1') {
  const { tunnelId, publicUrl } = await world.client.tunnels.open({
    machineId: world.machine.id,
    localHost,
    localPort: site.port,
    protocol: 'https',
    options: { auth: 'none', ...options },
  })
  return { tunnelId, host: new URL(publicUrl ?? '').host }
}

const visited = async (options?: Options, localHost?: string) =>
  visit(world.relay.url, (await open(options, localHost)).host)

test('a site that speaks TLS is reached at the public address, its pages and its WebSockets', async () => {
  trust()
  const { host } = await open()
  const { url } = world.relay
  expect(await visit(url, host)).toMatchObject({ status: 200, body: '<h1>It works</h1>' })
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket`, { headers: { host } })
  await once(socket, 'open')
  socket.send('hello')
  const [said] = (await once(socket, 'message')) as [Buffer]
  expect(said.toString()).toBe('hello')
  socket.close()
  await once(socket, 'close')
})

test.each([
  ['its address', {}, '127.0.0.1'],
  ['its host', {}, 'localhost'],
  ['the name that was chosen', { tlsServerName: 'localhost' }, '127.0.0.1'],
])('a certificate that is trusted has to be for %s', async (_, options, localHost) => {
  trust()
  expect((await visited(options, localHost)).status).toBe(200)
})

test.each([
  ['that nobody trusts', false, {}],
  ['that nobody trusts, for the name that was chosen', false, { tlsServerName: 'localhost' }],
  ['for another name', true, { tlsServerName: 'other.test' }],
])('a certificate %s is refused, and the site is sent nothing', async (_, isTrusted, options) => {
  if (isTrusted) trust()
  const before = site.seen
  const { tunnelId, host } = await open(options)
  const { status, body } = await visit(world.relay.url, host)
  expect(status).toBe(502)
  // Why is nothing that visitors are told; the row of the visit has it.
  expect(body).toBe('What this tunnel leads to cannot be reached now.\n')
  expect(site.seen).toBe(before)
  const outcome = await waitFor('the visit has an outcome', async () => {
    const { items } = await world.client.audit.getLogs({ action: 'tunnel.connect', limit: 20 })
    return items.find(({ kind, subject }) => kind === 'outcome' && subject?.startsWith(`tunnel:${tunnelId}`))
  })
  expect(outcome.code).toBe('unavailable')
})

test.each([{}, { tlsServerName: 'other.test' }])(
  'any certificate is taken where that is asked for',
  async (options) => {
    expect((await visited({ ...options, insecureTls: true })).status).toBe(200)
  },
)

test('what listens here leads to the TLS of the site, whose certificate is looked at here', async () => {
  const { tunnelId } = await open()
  await using listener = await world.client.tunnels.listen(tunnelId)
  const page = async (ca?: string) => {
    const asked = request({ host: '127.0.0.1', port: listener.port, agent: false, ...(ca === undefined ? {} : { ca }) })
    asked.end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    return await text(answer)
  }
  expect(await page(certificate)).toBe('<h1>It works</h1>')
  await expect(page()).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
})
