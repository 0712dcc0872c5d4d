import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Site, startSite, visit } from './tunnel-pages.ts'
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

/** A tunnel to the site, with its host. */
async function open(options: Record<string, unknown>, subdomain?: string) {
  const given = { machineId: world.machine.id, localPort: site.port, options }
  const tunnel = await world.client.tunnels.open({ ...given, ...(subdomain === undefined ? {} : { subdomain }) })
  return { ...tunnel, host: new URL(tunnel.publicUrl ?? '').host }
}

const see = (host: string, headers: Record<string, string> = {}, path = '/') =>
  visit(world.relay.url, host, { headers, path })

/** Sends exactly this to the relay, and gives the first line of the answer. */
async function raw(text: string): Promise<string> {
  const { port } = new URL(world.relay.url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.write(text)
  const [data] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return data.toString().split('\r\n', 1)[0] ?? ''
}

test('A visitor shows a token unless the tunnel is open to all, and the target never sees it', async () => {
  const { host, token } = await open({})
  const refused = await see(host)
  expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Bearer'])
  for (const wrong of [`Bearer ${token}x`, 'Bearer x', `Basic ${token}`, String(token), `bearer  `])
    expect((await see(host, { authorization: wrong })).status).toBe(401)
  const page = await see(host, { authorization: `Bearer ${token}` }, '/headers')
  expect(page.status).toBe(200)
  expect(JSON.parse(page.body)).not.toHaveProperty('authorization')
  const socket = new WebSocket(`${world.relay.url.replace('http', 'ws')}/`, { headers: { host } })
  const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
  expect(answer.statusCode).toBe(401)
  socket.on('error', () => {}).terminate()
})

test('A name and password open a tunnel for browsers', async () => {
  const made = await open({ auth: 'basic' })
  const chosen = await open({ auth: 'basic', username: 'ann', password: 'correct horse battery' })
  expect(chosen.password).toBeNull()
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  expect((await see(made.host)).headers['www-authenticate']).toBe('Basic realm="tunnel", charset="UTF-8"')
  expect((await see(made.host, basic(`cmdop:${made.password}`))).status).toBe(200)
  expect((await see(made.host, basic(`cmdop:${made.password}`))).status).toBe(200)
  expect((await see(made.host, basic(`ann:${made.password}`))).status).toBe(401)
  expect((await see(chosen.host, basic('ann:correct horse battery'))).status).toBe(200)
  expect((await see(chosen.host, basic('ann:correct horse batterz'))).status).toBe(401)
  // Kept is a hash of it.
  const row = await (await world.openStore()).tunnels.get(made.tunnelId)
  expect(JSON.stringify(row)).not.toContain(made.password)
})

test('Only the Host of an open tunnel leads to it, and its pages are not the relay', async () => {
  const { host, tunnelId } = await open({ auth: 'none' }, 'shop')
  expect(host).toMatch(/^shop\.tunnels\.test/)
  expect((await see('SHOP.tunnels.test')).status).toBe(200)
  expect((await see('shop.tunnels.test.')).status).toBe(200)
  for (const wrong of ['none.tunnels.test', 'a.shop.tunnels.test', '.tunnels.test', 'sh_op.tunnels.test'])
    expect((await see(wrong)).status).toBe(404)
  expect((await see(host, {}, '/api/me')).body).toBe('<h1>It works</h1>')
  expect((await see('tunnels.test', {}, '/health')).status).toBe(200)
  expect((await see('shop.tunnels.test.evil.example', {}, '/health')).status).toBe(200)
  await expect(open({ auth: 'none' }, 'shop')).rejects.toMatchObject({ code: 'conflict' })
  await expect(open({ auth: 'none' }, 'www')).rejects.toMatchObject({ code: 'validation' })
  await world.client.tunnels.close(tunnelId)
  expect((await see(host)).status).toBe(404)
  await open({ auth: 'none' }, 'shop')
})

test('The target gets what the visitor sent, without what is for neighbours, the relay, or made up about the way', async () => {
  const { host } = await open({ auth: 'none' })
  const key = world.relay.firstKey
  const headers = {
    cookie: 'a=1; cmdop_page=secret; b=2; cmdop_visitor=secret',
    authorization: `Bearer ${key}`,
    'x-forwarded-for': '203.0.113.9',
    'x-real-ip': '203.0.113.9',
    'proxy-authorization': 'Basic x',
    'x-hop': 'only to the relay',
    'x-kept': 'yes',
    connection: 'close, X-Hop',
  }
  const { body, headers: answered } = await see(host, headers, '/headers')
  expect(JSON.parse(body)).toEqual({
    host,
    cookie: 'a=1; b=2',
    'x-kept': 'yes',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': host,
    connection: 'close',
  })
  expect(answered['set-cookie']).toEqual(['a=1', 'b=2'])
  expect(answered).not.toHaveProperty('x-hop')
  expect(JSON.parse((await see(host, { authorization: 'Bearer of-the-app' }, '/headers')).body)).toMatchObject({
    authorization: 'Bearer of-the-app',
  })
})

test('What two servers could read in two ways goes no further', async () => {
  const { host } = await open({ auth: 'none' })
  const other = 'Host: other.tunnels.test'
  const ways = [
    `GET / HTTP/1.1\r\nHost: ${host}\r\n${other}\r\n\r\n`,
    `GET http://other.tunnels.test/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nX-A: 1\nX-B: 2\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: close, Content-Length\r\nContent-Length: 2\r\n\r\nab`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Host\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Cookie\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Authorization\r\n\r\n`,
  ]
  for (const way of ways) expect(`${way} ${await raw(way)}`).toBe(`${way} HTTP/1.1 400 Bad Request`)
})

test('A target that is away, and a visitor from elsewhere, are told no more than that', async () => {
  // Nobody runs tcpmux.
  const given = { machineId: world.machine.id, localPort: 1, options: { auth: 'none' as const } }
  const { publicUrl } = await world.client.tunnels.open(given)
  const away = await see(new URL(publicUrl ?? '').host)
  expect([away.status, away.body]).toEqual([502, 'What this tunnel leads to cannot be reached now.\n'])
  const far = await open({ auth: 'none', allowedPeers: ['192.0.2.0/24'] })
  expect((await see(far.host)).status).toBe(403)
})

test('A visit is written down with the right by which it came, and a refused one is, too', async () => {
  const { host, tunnelId } = await open({})
  await see(host, { authorization: 'Bearer wrong' })
  const { items } = await world.client.audit.getLogs({ action: 'tunnel.connect', decision: 'deny', limit: 20 })
  expect(items.find(({ subject }) => subject === `tunnel:${tunnelId} from 127.0.0.1`)).toMatchObject({
    code: 'auth',
    principalName: 'visitor of a tunnel',
  })
})
