import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CmdopError } from '@cmdop/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { Client } from './client.ts'
import type { ClientOptions } from './settings.ts'

interface Asked {
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

/** A server that answers as it is told, by how often it was asked; and a client of it. */
async function served(answer: (response: ServerResponse, index: number) => void, options: ClientOptions = {}) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const { method = '', headers } = request
    request.resume().once('end', () => answer(response, asked.push({ method, headers }) - 1))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = new Client({ baseUrl, token: 'secret', fleetId: 'flt_1', timeoutMs: 10_000, ...options })
  onTestFinished(async () => {
    await client.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { asked, client }
}

const page = { items: [], offset: 0, per_page: 100, total: 0 }
const issued = { id: 'k', fleet_id: 'f', name: 'n', raw_token: 'shown', expires_at: null }

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

function fail(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  send(
    response,
    status,
    { error: { code, message: 'Not now.', retryable: true, requestId: 'req_1', details: {} } },
    headers,
  )
}

test('a read that fails with a fault of the relay is tried again', async () => {
  const { client, asked } = await served((response, index) =>
    index < 2 ? fail(response, 500, 'server') : send(response, 200, page),
  )
  expect(await client.keys.list()).toMatchObject({ total: 0 })
  expect(asked).toHaveLength(3)
})

test('a connection that breaks is tried again for a read', async () => {
  const { client, asked } = await served((response, index) =>
    index === 0 ? void response.destroy() : send(response, 200, page),
  )
  await client.keys.list()
  expect(asked).toHaveLength(2)
})

test('nothing is tried again with retries 0', async () => {
  const { client, asked } = await served((response) => fail(response, 503, 'unavailable'), { retries: 0 })
  await expect(client.keys.list()).rejects.toMatchObject({ code: 'unavailable', retryable: true })
  expect(asked).toHaveLength(1)
})

test('a change is tried again only with its key, which is the same each time', async () => {
  const { client, asked } = await served((response, index) =>
    index % 2 === 0 ? fail(response, 500, 'server') : send(response, 201, issued),
  )
  await expect(client.keys.issue({ name: 'n' })).rejects.toMatchObject({ code: 'server', retryable: false })
  expect(asked).toHaveLength(1)
  await expect(client.keys.issue({ name: 'n' })).resolves.toMatchObject({ rawToken: 'shown' })
  expect(asked).toHaveLength(2)
  await expect(client.keys.issue({ name: 'n' }, { idempotencyKey: 'one' })).resolves.toMatchObject({
    rawToken: 'shown',
  })
  expect(asked.slice(2).map(({ headers }) => headers['idempotency-key'])).toEqual(['one', 'one'])
})

test('what the relay has not done is tried again for a change, too', async () => {
  const { client, asked } = await served((response, index) =>
    index === 0 ? fail(response, 503, 'unavailable') : send(response, 201, issued),
  )
  await client.keys.issue({ name: 'n' })
  expect(asked).toHaveLength(2)
})

test('an error has status, body, id of the request and how long to wait', async () => {
  const { client, asked } = await served((response) => fail(response, 429, 'rate_limit', { 'retry-after': '3600' }))
  await expect(client.keys.list()).rejects.toMatchObject({
    code: 'rate_limit',
    status: 429,
    requestId: 'req_1',
    retryAfter: 3600,
    retryable: true,
    body: { error: { code: 'rate_limit', message: 'Not now.' } },
  })
  // It would be later than the call may take.
  expect(asked).toHaveLength(1)
})

test('timeoutMs ends a call that is not answered, all tries together', async () => {
  const { client, asked } = await served(
    (response, index) => (index === 0 ? fail(response, 500, 'server') : undefined),
    {
      timeoutMs: 300,
    },
  )
  await expect(client.keys.list()).rejects.toMatchObject({ code: 'timeout', retryable: true })
  expect(asked).toHaveLength(2)
})

test('a signal ends the wait before another try', async () => {
  const stop = new AbortController()
  const { client, asked } = await served((response) => {
    fail(response, 503, 'unavailable', { 'retry-after': '5' })
    setImmediate(() => stop.abort())
  })
  await expect(client.keys.list({ signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' })
  expect(asked).toHaveLength(1)
})

test('an answer that is not of a relay has the code of its status, and is tried again as that code is', async () => {
  const html = (status: number) => (response: ServerResponse) => void response.writeHead(status).end('<html></html>')
  const triedOf = async (status: number, call: (client: Client) => Promise<unknown>) => {
    const { client, asked } = await served(html(status), { retries: 1 })
    const message = expect.stringContaining('CMDOP_BASE_URL')
    const failed = expect(call(client)).rejects
    await failed.toMatchObject({ status, message, details: { proxy: true } })
    const { code } = await call(client).then(
      () => ({ code: 'ok' }),
      (error: CmdopError) => error,
    )
    return [status, code, asked.length / 2]
  }
  const [read, change] = [(client: Client) => client.keys.list(), (client: Client) => client.keys.issue({ name: 'n' })]
  const statuses = [400, 401, 403, 404, 405, 409, 429, 500, 502, 503, 504]
  const reads = await Promise.all(statuses.map((status) => triedOf(status, read)))
  expect(reads).toEqual([
    [400, 'validation', 1],
    [401, 'auth', 1],
    [403, 'permission', 1],
    [404, 'not_found', 1],
    [405, 'validation', 1],
    [409, 'conflict', 1],
    [429, 'rate_limit', 2],
    [500, 'server', 2],
    [502, 'server', 2],
    [503, 'unavailable', 2],
    [504, 'timeout', 2],
  ])
  const changes = await Promise.all([401, 429, 500, 503, 504].map((status) => triedOf(status, change)))
  expect(changes).toEqual([
    [401, 'auth', 1],
    [429, 'rate_limit', 2],
    [500, 'server', 1],
    // A proxy may have sent it on.
    [503, 'server', 1],
    [504, 'timeout', 1],
  ])
})

test('a read that a relay had no time for is tried again while the call has some', async () => {
  const { client, asked } = await served((response, index) =>
    index === 0 ? fail(response, 504, 'timeout') : send(response, 200, page),
  )
  await client.keys.list()
  expect(asked).toHaveLength(2)
})
