import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { Client as BrowserClient } from '@cmdop/core/browser'
import { CHANNEL_SUBPROTOCOL, ErrorBody, Health } from '@cmdop/protocol'
import { startRelay } from '@cmdop/relay'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { startChild } from './processes/child.ts'
import { startWorld, type World } from './world.ts'

const PAGE = 'https://console.example'

let world: World
beforeAll(async () => {
  world = await startWorld({ relay: { allowedOrigins: [PAGE] } })
})
afterAll(() => world[Symbol.asyncDispose]())

const get = (path: string, init: RequestInit & { key?: string | null } = {}) => {
  const { key = world.relay.firstKey, ...rest } = init
  const headers = new Headers(rest.headers)
  if (key !== null) headers.set('authorization', `Bearer ${key}`)
  return fetch(`${world.relay.url}${path}`, { ...rest, headers })
}

describe('an error', () => {
  const cases: [string, string, RequestInit & { key?: string | null }, number, string][] = [
    ['for a path that is not there', '/api/nothing', {}, 404, 'not_found'],
    ['without a key', '/api/me', { key: null }, 401, 'auth'],
    ['for another scheme than Bearer', '/api/me', { key: null, headers: { authorization: 'Basic eDp5' } }, 401, 'auth'],
    ['for a body that is no JSON', '/api/enroll', post('{ not json'), 422, 'validation'],
    ['for a body of another shape', '/api/enroll', post('{"token": 7}'), 422, 'validation'],
    ['for a field that is not known', '/api/enrollment-tokens', post('{"maxUses": 7}'), 422, 'validation'],
    ['for a query of another shape', '/api/machines?limit=0', {}, 422, 'validation'],
    ['for a cursor that is none', '/api/machines?cursor=abc', {}, 422, 'validation'],
    ['for a body that is too large', '/api/enroll', post(`"${'x'.repeat(2 * 1024 * 1024)}"`), 413, 'frame_too_large'],
    [
      'for a body of another type',
      '/api/enroll',
      { ...post('a=b'), headers: { 'content-type': 'text/plain' } },
      422,
      'validation',
    ],
  ]

  for (const [title, path, init, status, code] of cases) {
    test(`${title} has the one body and status ${status}`, async () => {
      const answer = await get(path, init)
      expect(answer.status).toBe(status)
      const { error } = ErrorBody.parse(await answer.json())
      expect(error).toMatchObject({ code, requestId: expect.stringMatching(/^req_[0-9a-f-]{36}$/) })
      expect(error.message).toMatch(/^[A-Z].*[^ ]$/s)
    })
  }

  test('never says what is inside the relay', async () => {
    const text = await (await get('/api/enroll', post('{"token": 7}'))).text()
    expect(text).not.toMatch(/node_modules|\.ts:\d|sqlite/i)
  })
})

test('the OpenAPI document is of version 3.1, and names every path with its answers', async () => {
  const answer = await get('/api/openapi.json', { key: null })
  const Operation = z.looseObject({ summary: z.string().min(1), responses: z.record(z.string(), z.looseObject({})) })
  const Document = z.looseObject({
    openapi: z.literal('3.1.0'),
    info: z.looseObject({ title: z.string(), version: z.string() }),
    paths: z.record(
      z.string().startsWith('/'),
      z.record(z.enum(['get', 'post', 'delete']), Operation.partial()).or(z.looseObject({})),
    ),
    components: z.looseObject({
      securitySchemes: z.looseObject({ bearer: z.looseObject({ scheme: z.literal('bearer') }) }),
    }),
  })
  const document = Document.parse(await answer.json())
  const ofOperator = ['active_session', 'ask', 'ask/{call}', 'confirm', 'messages', 'pin', 'spend']
  const paths = [
    ...ofOperator.map((path) => `/api/admin/machines/{machine}/${path}`),
    '/api/approvals',
    '/api/approvals/events',
    '/api/approvals/{approval}',
    '/api/approvals/{approval}/actions',
    '/api/approvals/{approval}/approve',
    '/api/approvals/{approval}/deny',
    '/api/approvals/{approval}/withdraw',
    '/api/audit',
    '/api/audit/checkpoints',
    '/api/audit/events',
    '/api/audit/export',
    '/api/audit/key',
    '/api/channel-tickets',
    '/api/enroll',
    '/api/enrollment-tokens',
    '/api/fleet-runs',
    '/api/fleet-runs/{run}',
    '/api/fleet-runs/{run}/approvals',
    '/api/fleet-runs/{run}/cancel',
    '/api/fleet-runs/{run}/claim',
    '/api/fleet-runs/{run}/continue',
    '/api/fleet-runs/{run}/pause',
    '/api/fleet-runs/{run}/rows',
    '/api/fleet-runs/{run}/targets',
    '/api/admin/machines/{machine}/info',
    '/api/fleets',
    '/api/fleets/{fleet}',
    '/api/fleets/{fleet}/machines',
    '/api/fleets/{fleet}/machines/{machine}',
    '/api/fleets/{fleet}/api-keys',
    '/api/fleets/{fleet}/api-keys/{key}',
    '/api/grants',
    '/api/grants/{grant}',
    '/api/fleets/{fleet}/api-keys/{key}/rotate',
    '/api/fleets/{fleet}/invitations',
    '/api/fleets/{fleet}/invitations/{invitation}',
    '/api/fleets/{fleet}/members',
    '/api/fleets/{fleet}/members/{user}',
    '/api/fleets/{fleet}/members/{user}/code',
    '/api/fleets/{fleet}/members/{user}/totp',
    '/api/fleets/{fleet}/schedules',
    '/api/fleets/{fleet}/schedules/{schedule}',
    '/api/fleets/{fleet}/schedules/{schedule}/run',
    '/api/fleets/{fleet}/schedules/{schedule}/runs',
    '/api/fleets/{fleet}/schedules/{schedule}/runs/{run}',
    '/api/fleets/{fleet}/schedules/{schedule}/runs/{run}/cancel',
    '/api/fleets/{fleet}/settings',
    '/api/invitations/accept',
    '/api/login',
    '/api/login/code',
    '/api/login/own-code',
    '/api/login/sessions',
    '/api/login/sessions/{session}',
    '/api/machines',
    '/api/machines/events',
    '/api/machines/{machine}/enable',
    '/api/machines/ping',
    '/api/machines/resolve',
    '/api/machines/{machine}',
    ...ofOperator.map((path) => `/api/machines/{machine}/${path}`),
    '/api/machines/{machine}/key',
    '/api/machines/{machine}/key/confirm',
    '/api/machines/{machine}/release',
    '/api/me',
    '/api/policy',
    '/api/policy/test',
    '/api/recordings',
    '/api/recordings/batch',
    '/api/recordings/{recording}',
    '/api/recordings/{recording}/content',
    '/api/recordings/{recording}/manifest',
    '/api/runs',
    '/api/runs/{run}',
    '/api/runs/{run}/entries',
    '/api/totp',
    '/api/totp/confirm',
    '/api/totp/remove',
    '/api/tunnels',
    '/api/tunnels/connected-sessions',
    '/api/tunnels/{tunnel}',
    '/api/webhooks',
    '/api/webhooks/{webhook}',
    '/api/webhooks/{webhook}/deliveries',
    '/api/webhooks/{webhook}/test',
    '/categories/',
    '/skills/',
    '/skills/my/',
    '/skills/{slug}/',
    '/skills/{slug}/install/',
    '/skills/{slug}/publish-status/',
    '/skills/{slug}/publish/',
    '/skills/{slug}/reviews/',
    '/skills/{slug}/star/',
    '/skills/{slug}/versions/',
    '/tags/',
    '/health',
    '/metrics',
  ]
  expect(Object.keys(document.paths).sort()).toEqual(paths.sort())
  for (const operations of Object.values(document.paths)) {
    for (const operation of Object.values(operations)) expect(Operation.parse(operation).responses).not.toEqual({})
  }
  const references = JSON.stringify(document).match(/"\$ref":"[^"]+"/g) ?? []
  // The one error body; everything else stands where it is used.
  expect([...new Set(references)]).toEqual(['"$ref":"#/components/responses/Error"'])
  expect(document.components).toMatchObject({ responses: { Error: { content: { 'application/json': {} } } } })
})

test('the health of the relay needs no key', async () => {
  const answer = await get('/health', { key: null })
  expect(answer.status).toBe(200)
  expect(Health.parse(await answer.json())).toMatchObject({ status: 'ok', relay_id: world.relay.relayId })
})

test('the metrics need a key that may read them, and count what is there', async () => {
  expect((await get('/metrics', { key: null })).status).toBe(401)
  await world.handle.exec('true')
  // A scraper needs no right to anything else.
  const { rawToken: key } = await world.client.keys.issue({ name: 'viewer', role: 'viewer' })
  const text = await (await get('/metrics', { key })).text()
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  expect(value('cmdop_machines_connected')).toBe(1)
  expect(value('cmdop_clients_connected')).toBe(1)
  expect(value('cmdop_channels_open')).toBe(0)
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1024 * 1024)
  expect(value('process_uptime_seconds')).toBeGreaterThan(0)
  expect(text).toMatch(/^cmdop_calls_total\{method="exec",code="ok"\} [1-9]/m)
})

describe('a WebSocket', () => {
  test('of a page of another origin is refused, and of an allowed one taken', async () => {
    expect(await upgradeStatus({ origin: 'https://evil.example' })).toBe(403)
    expect(await upgradeStatus({ origin: 'null' })).toBe(403)
    expect(await upgradeStatus({ origin: `${PAGE}.evil.example` })).toBe(403)
    expect(await upgradeStatus({ origin: PAGE })).toBe(101)
    expect(await upgradeStatus({ origin: world.relay.url })).toBe(101)
    expect(await upgradeStatus({})).toBe(101)
  })

  test('on another path is 404', async () => {
    expect(await upgradeStatus({ path: '/' })).toBe(404)
  })

  test('whose path is no path does not end the relay', async () => {
    for (const path of ['//', 'http://[', '/api/channel?ticket=%']) {
      const socket = connect(Number(new URL(world.relay.url).port), '127.0.0.1')
      socket.on('error', () => {})
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
      socket.resume()
      await once(socket, 'close')
    }
    expect((await get('/health')).status).toBe(200)
  })

  test('without a key is closed with the reason', async () => {
    expect(await closeReason('/api/channel')).toMatch(/^auth: /)
    expect(await closeReason('/api/channel?ticket=x')).toMatch(/^auth: /)
  })
})

describe('a ticket', () => {
  const issue = async () =>
    (await (await get('/api/channel-tickets', { method: 'POST' })).json()) as { ticket: string; expires_at: string }

  test('is good for one connection', async () => {
    const { ticket } = await issue()
    const first = await open(`/api/channel?ticket=${ticket}`)
    expect(await closeReason(`/api/channel?ticket=${ticket}`)).toMatch(/^auth: The ticket is used up or expired/)
    expect(first.readyState).toBe(WebSocket.OPEN)
    first.terminate()
  })

  test('is good for half a minute', async () => {
    const { expires_at } = await issue()
    const leftMs = Date.parse(expires_at) - Date.now()
    expect(leftMs).toBeGreaterThan(25_000)
    expect(leftMs).toBeLessThanOrEqual(30_000)
  })

  test('that has expired is refused', async () => {
    const { createHash, randomBytes } = await import('node:crypto')
    const ticket = randomBytes(32).toString('base64url')
    const store = await world.openStore()
    const keyId = (await world.client.keys.list()).items[0]?.id ?? ''
    const secretHash = createHash('sha256').update(ticket).digest('hex')
    await store.tickets.create({ secretHash, keyId, expiresAt: new Date(Date.now() - 1).toISOString() })
    expect(await closeReason(`/api/channel?ticket=${ticket}`)).toMatch(/^auth: /)
  })

  test('of a key that was revoked meanwhile is refused', async () => {
    const issued = await world.client.keys.issue({ name: 'page' })
    const answer = await get('/api/channel-tickets', { method: 'POST', key: issued.rawToken })
    const { ticket } = (await answer.json()) as { ticket: string }
    await world.client.keys.revoke(issued.id)
    expect(await closeReason(`/api/channel?ticket=${ticket}`)).toMatch(/^auth: The API key was revoked/)
  })

  test('is what the client for browsers works with, from end to end', async () => {
    await using client = new BrowserClient({ baseUrl: world.relay.url, token: world.relay.firstKey })
    const machine = await client.machine(world.machine.id)
    expect(await machine.exec(['cat'], { stdin: 'through a page' })).toMatchObject({ stdout: 'through a page' })
    expect((await machine.facts()).hostname).toBe(machine.hostname)
  })
})

describe('an address', () => {
  test('that is not loopback is not bound without TLS, unless one says so', async () => {
    const dataDir = await world.folder()
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org', '']) {
      await expect(startRelay({ dataDir, host, port: 0, logLevel: 'silent' })).rejects.toMatchObject({
        code: 'config',
        message: expect.stringContaining('without TLS'),
      })
    }
    await using relay = await startRelay({
      dataDir,
      host: '0.0.0.0',
      insecurePublic: true,
      port: 0,
      logLevel: 'silent',
    })
    expect((await fetch(`http://127.0.0.1:${new URL(relay.url).port}/health`)).status).toBe(200)
  })

  test('that is taken is a `config` error that names it', async () => {
    const { port } = new URL(world.relay.url)
    await expect(
      startRelay({ dataDir: await world.folder(), port: Number(port), logLevel: 'silent' }),
    ).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
  })

  test('with TLS serves machines and clients that trust its certificate, and no others', async () => {
    const fixture = (name: string) => readFile(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
    const tls = { cert: await fixture('loopback-certificate.pem'), key: await fixture('loopback-key.pem') }
    await using relay = await startRelay({ dataDir: await world.folder(), port: 0, logLevel: 'silent', tls })
    expect(relay.url).toMatch(/^https:/)
    const trust = new URL('./fixtures/loopback-certificate.pem', import.meta.url).pathname
    const settings = { relayUrl: relay.url, key: relay.firstKey, dataDir: await world.folder() }
    const child = await startChild<{ stdout: string }>('./enroll-and-exec-process.ts', settings, {
      NODE_EXTRA_CA_CERTS: trust,
    })
    expect(child.ready).toMatchObject({ stdout: 'over TLS\n' })
    await child.end()
    const { firstKey: token = '' } = relay
    await expect(world.connect({ baseUrl: relay.url, token }).me()).rejects.toMatchObject({ code: 'connection' })
  })
})

function post(body: string): RequestInit {
  return { method: 'POST', body, headers: { 'content-type': 'application/json' } }
}

function socketTo(path: string, origin?: string): WebSocket {
  const url = `${world.relay.url.replace('http', 'ws')}${path}`
  return new WebSocket(url, [CHANNEL_SUBPROTOCOL], origin === undefined ? {} : { origin })
}

async function open(path: string): Promise<WebSocket> {
  const socket = socketTo(path)
  // The relay speaks first once it knows the caller.
  await once(socket, 'message')
  return socket
}

async function closeReason(path: string): Promise<string> {
  const [code, reason] = (await once(socketTo(path), 'close')) as [number, Buffer]
  expect(code).toBe(4000)
  return reason.toString()
}

/** The HTTP status of the answer to an upgrade, 101 when it is taken. */
async function upgradeStatus({ path = '/api/channel', origin }: { path?: string; origin?: string }): Promise<number> {
  const socket = socketTo(path, origin)
  socket.on('error', () => {})
  const status = await Promise.race([
    once(socket, 'open').then(() => 101),
    once(socket, 'unexpected-response').then(([, response]) => (response as { statusCode: number }).statusCode),
  ])
  socket.terminate()
  return status
}
