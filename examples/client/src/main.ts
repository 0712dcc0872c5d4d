import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Client, embedded, isCmdopError } from 'cmdop'

// A relay and a machine of their own, so that the example needs nothing.
await using local = await embedded()
const { baseUrl, token = '' } = local.client

// Explicit options come before the environment: CMDOP_BASE_URL, CMDOP_TOKEN.
await using client = new Client({ baseUrl, token, timeoutMs: 10_000, retries: 2 })

// One page; `nextCursor` is where the next one begins, null on the last.
const page = await client.machines.list({ presence: 'online', limit: 50 })
for (const machine of page.items) process.stdout.write(`${machine.name} ${machine.presence}\n`)
assert.equal(page.nextCursor, null)

// Every list has `iter` and `pages`, which ask for more as it is needed, and end.
for await (const key of client.keys.iter()) process.stdout.write(`${key.name}: ${key.role}\n`)
for await (const { items, total } of client.members.pages({ perPage: 10 })) assert.equal(items.length, total)

// A change that may be sent twice has a key of yours: done once, and tried again when the connection breaks.
const idempotencyKey = randomUUID()
const member = { email: 'ann@example.com', role: 'member' } as const
const added = await client.members.add(member, { idempotencyKey })
assert.deepEqual(await client.members.add(member, { idempotencyKey }), added)

// What fails has a code, and says whether the same call may be sent again.
try {
  await client.machines.get('nowhere')
} catch (error) {
  if (!isCmdopError(error)) throw error
  const { code, status, requestId = '', retryable, message } = error
  assert.deepEqual([code, status, retryable], ['not_found', 404, false])
  process.stdout.write(`${message} (${requestId.slice(0, 4)}...)\n`)
}

// A signal ends a call, and a loop, with `cancelled`.
const signal = AbortSignal.abort()
await assert.rejects(client.machines.list({ signal }), { code: 'cancelled' })
