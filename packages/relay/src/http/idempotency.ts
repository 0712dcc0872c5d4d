import { createHmac } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { authenticate } from '../auth/authenticate.ts'
import type { IdempotencyRow } from '../store/idempotency-store.ts'
import { digestOf } from './audited.ts'
import { bearerOf, type GuardContext } from './guard.ts'
import { machinePrefixes } from './machine-prefixes.ts'

/** Milliseconds for which a key is known: whoever tries for longer asks first what became of it. */
const KNOWN_FOR_MS = 24 * 3_600_000

/** Milliseconds after which a call that has no answer is not under way any more: its relay has ended. */
const UNDER_WAY_MS = 120_000

/** Characters of an answer that is kept. */
const MAX_KEPT_CHARACTERS = 64 * 1024

const CHANGES = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
const KEY = /^[!-~]{1,128}$/

/** Changes whose answer holds a secret, which is shown once and kept nowhere. A test holds the list to the OpenAPI document. */
export const secretAnswers: ReadonlySet<string> = new Set([
  'POST /api/channel-tickets',
  'POST /api/enrollment-tokens',
  'POST /api/fleets/:fleet/api-keys',
  'POST /api/fleets/:fleet/api-keys/:key/rotate',
  'POST /api/fleets/:fleet/invitations',
  'POST /api/fleets/:fleet/members/:user/code',
  'POST /api/invitations/accept',
  'POST /api/login',
  'POST /api/login/own-code',
  'POST /api/totp',
  'POST /api/tunnels',
  'POST /api/webhooks',
])

/** Changes that take no key: nobody has signed in yet or a machine signs them, their body holds a code or PIN, or they have an id of their own. */
export const noIdempotencyKeys: ReadonlySet<string> = new Set([
  ...machinePrefixes.flatMap((prefix) => [`POST ${prefix}/:machine/ask`, `POST ${prefix}/:machine/pin`]),
  'POST /api/enroll',
  'POST /api/invitations/accept',
  'POST /api/login',
  'POST /api/login/code',
  'POST /api/machines/:machine/key',
  'POST /api/machines/:machine/key/confirm',
  'POST /api/recordings',
  'POST /api/recordings/batch',
  'POST /api/totp/confirm',
  'POST /api/totp/remove',
  'PUT /api/recordings/:recording/content',
  'PUT /api/recordings/:recording/manifest',
])

interface Claimed {
  readonly row: Pick<IdempotencyRow, 'principalId' | 'key'>
  readonly isSecret: boolean
}

/**
 * A change that comes with an `Idempotency-Key` is done once, however often it is sent: the same answer comes again. Of a caller whose
 * first call is under way the second is `unavailable`; where a relay ended under it, `unknown`; the same key for another call is
 * `conflict`, and so is a change whose answer was a secret. What was refused, and what failed with nothing done, may be sent again.
 */
export function takeIdempotencyKeys(app: FastifyInstance, context: GuardContext): void {
  const claims = new WeakMap<FastifyRequest, Claimed>()
  const { idempotency } = context.store

  app.addHook('preHandler', async (request, reply) => {
    const { 'idempotency-key': key } = request.headers
    if (key === undefined || !CHANGES.has(request.method)) return
    const route = `${request.method} ${request.routeOptions.url ?? ''}`
    if (typeof key !== 'string' || !KEY.test(key))
      throw new CmdopError('validation', 'Expected Idempotency-Key to be 1 to 128 visible ASCII characters.')
    if (noIdempotencyKeys.has(route))
      throw new CmdopError('validation', 'This call takes no Idempotency-Key; send it without.')
    const shown = shownKey(request)
    const { principalId } = await callerOf(context, request, shown)
    const now = Date.now()
    const digest = callDigest(shown, [request.method, request.url, request.body ?? null])
    await idempotency.forget(new Date(now - KNOWN_FOR_MS).toISOString())
    const known = await idempotency.claim({ principalId, key, digest, at: new Date(now).toISOString() })
    if (known === undefined) claims.set(request, { row: { principalId, key }, isSecret: secretAnswers.has(route) })
    else await sendAgain(reply, known, digest)
  })

  app.addHook('onSend', async (request, reply, payload: unknown) => {
    const claimed = claims.get(request)
    if (claimed === undefined) return payload
    claims.delete(request)
    const { row, isSecret } = claimed
    const { statusCode: status } = reply
    if (isUndone(status)) await idempotency.release(row)
    else if (status < 400) await idempotency.finish({ ...row, status, body: isSecret ? null : keptOf(payload) })
    return payload
  })
}

/** Nothing was done: it was refused, or the relay says so. After another fault nobody knows. */
function isUndone(status: number): boolean {
  return (status >= 400 && status < 500) || status === 503
}

function keptOf(payload: unknown): string | null {
  return typeof payload === 'string' && payload.length <= MAX_KEPT_CHARACTERS ? payload : null
}

async function sendAgain(reply: FastifyReply, known: IdempotencyRow, digest: string): Promise<void> {
  if (known.digest !== digest)
    throw new CmdopError('conflict', 'This Idempotency-Key was used for another call; make a new one for each change.')
  if (known.status === null) {
    if (Date.now() - Date.parse(known.at) < UNDER_WAY_MS)
      throw new CmdopError('unavailable', 'The same call is still under way; try again.', { retryAfter: 1 })
    throw new CmdopError('unknown', 'The relay ended, or failed, under this call; look whether it was done.')
  }
  if (known.body === null && known.status !== 204)
    throw new CmdopError(
      'conflict',
      'It was done already, and what it gave is shown only once; look for it in its list.',
    )
  reply.code(known.status)
  if (known.body !== null) reply.header('content-type', 'application/json; charset=utf-8')
  reply.header('idempotent-replayed', 'true')
  // Past the serializer: it was serialized once.
  await reply.serializer((body: unknown) => String(body)).send(known.body ?? '')
}

/** Of a call, by the key that it came with: a password in its body cannot be guessed from it. SHA-256, hex. */
export function callDigest(shown: string | undefined, call: readonly unknown[]): string {
  return createHmac('sha256', shown ?? '')
    .update(digestOf(call))
    .digest('hex')
}

function shownKey({ headers }: FastifyRequest): string | undefined {
  const apiKey = headers['x-api-key']
  return bearerOf(headers) ?? (typeof apiKey === 'string' ? apiKey : undefined)
}

/** Whoever has no valid key claims nothing. */
async function callerOf({ store, audit }: GuardContext, request: FastifyRequest, shown: string | undefined) {
  const { ip: address, id: requestId } = request
  return await authenticate(store, shown, { address, audit, requestId })
}
