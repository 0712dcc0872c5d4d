import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
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

test('what is no answer of a relay is named with its status', async () => {
  const { client } = await served((response) => response.writeHead(404).end('<html>nginx</html>'))
  await expect(client.keys.list()).rejects.toMatchObject({
    code: 'server',
    status: 404,
    message: expect.stringContaining('CMDOP_BASE_URL'),
  })
})
