import {
  ApiKeyIssue,
  ApiKeyIssued,
  ApiKeyList,
  ApiKeyListQuery,
  ApiKeyRotate,
  type ApiKeySummary,
  ChannelTicket,
  CmdopError,
} from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actorOf } from '../../audit/entry.ts'
import { authorise } from '../../auth/authorise.ts'
import { isOwnKey, issueKey, kindOf, makerOf, revokeKey, rotateKey } from '../../auth/keys.ts'
import { effectiveRole, ownerIn } from '../../auth/owner.ts'
import { hashSecret, newSecret } from '../../auth/secrets.ts'
import type { KeyRow, Store } from '../../store/store.ts'
import type { HttpContext } from '../context.ts'
import { audited, auditedAs } from '../audited.ts'
import { callerInFleet, guard, type GuardContext } from '../guard.ts'

/** Milliseconds a ticket for a browser's WebSocket is good for. */
const TICKET_TTL_MS = 30_000

const FleetParams = z.object({ fleet: z.string().max(64).describe('Id of the fleet') })
const KeyParams = z.object({
  fleet: z.string().max(64).describe('Id of the fleet'),
  key: z.string().max(64).describe('Id of the key'),
})

/** API keys of a fleet, and the tickets that stand for a key. */
export function apiKeyRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus } = context
  return async (app) => {
    app.get(
      '/api/fleets/:fleet/api-keys',
      {
        schema: {
          summary: 'API keys of a fleet',
          params: FleetParams,
          querystring: ApiKeyListQuery,
          response: { 200: ApiKeyList },
        },
      },
      async (request) => {
        const { offset, per_page, credential, of } = request.query
        const caller = await guard(context, request, of === 'me' ? 'key.own' : 'key.list', request.params.fleet)
        const whose = of === 'me' ? { personId: caller.principalId } : {}
        const { items, total } = await store.keys.list(caller.fleetId, {
          offset,
          limit: per_page,
          credential,
          ...whose,
        })
        return { items: await Promise.all(items.map((key) => summary(store, key))), offset, per_page, total }
      },
    )

    app.post(
      '/api/fleets/:fleet/api-keys',
      {
        schema: {
          summary: 'Issue an API key; it is shown once',
          params: FleetParams,
          body: ApiKeyIssue,
          response: { 201: ApiKeyIssued },
        },
      },
      async (request, reply) => {
        const act = { action: 'key.issue', fleetId: request.params.fleet } as const
        const issued = await audited(context, request, act, async (caller, note) => {
          const issued = await issueKey(store, caller, request.body)
          note({ subject: `key:${issued.id}` })
          return issued
        })
        return reply.status(201).send(issued)
      },
    )

    app.delete(
      '/api/fleets/:fleet/api-keys/:key',
      { schema: { summary: 'Revoke an API key at once', params: KeyParams, response: { 204: z.null() } } },
      async (request, reply) => {
        const { fleet, key } = request.params
        const act = await actOn(context, request, { fleetId: fleet, keyId: key, action: 'key.revoke' })
        const { caller } = act
        await auditedAs(context, { ...act, subject: `key:${key}` }, async () => {
          await revokeKey(store, caller, key)
          await bus.publish({ type: 'key-revoked', keyId: key })
        })
        return reply.status(204).send(null)
      },
    )

    app.post(
      '/api/fleets/:fleet/api-keys/:key/rotate',
      {
        schema: {
          summary: 'A new API key in the place of another; it is shown once',
          params: KeyParams,
          body: ApiKeyRotate,
          response: { 201: ApiKeyIssued },
        },
      },
      async (request, reply) => {
        const { fleet, key: keyId } = request.params
        const { overlap_seconds: overlapSeconds } = request.body
        const act = await actOn(context, request, { fleetId: fleet, keyId, action: 'key.issue' })
        const { caller } = act
        const issued = await auditedAs(context, { ...act, subject: `key:${keyId}` }, async () => {
          const rotated = await rotateKey(store, caller, { keyId, overlapSeconds })
          await bus.publish({ type: 'key-revoked', keyId })
          return rotated
        })
        return reply.status(201).send(issued)
      },
    )

    app.post(
      '/api/channel-tickets',
      { schema: { summary: 'A one-use pass for a WebSocket of a browser', response: { 201: ChannelTicket } } },
      async (request, reply) => {
        const caller = await guard(context, request, 'machine.list')
        const ticket = newSecret('ticket').raw
        const expires_at = new Date(Date.now() + TICKET_TTL_MS).toISOString()
        const entry = { ...actorOf(caller), action: 'channel.ticket', requestId: request.id }
        await context.audit.around(entry, () =>
          store.tickets.create({ secretHash: hashSecret(ticket), keyId: caller.key.id, expiresAt: expires_at }),
        )
        return reply.status(201).send({ ticket, expires_at })
      },
    )
  }
}

/** Who does this to a key: by the right to do it to every key of the fleet, or else to one's own. */
async function actOn(
  context: GuardContext,
  request: FastifyRequest,
  { fleetId, keyId, action }: { fleetId: string; keyId: string; action: 'key.issue' | 'key.revoke' },
) {
  const caller = await callerInFleet(context, request, fleetId)
  const mayAll = authorise(caller, action, { fleetId }).allowed
  const isOwn = !mayAll && (await isOwnKey(context.store, caller, keyId))
  return { action: isOwn ? ('key.own' as const) : action, caller, fleetId, requestId: request.id }
}

async function summary(store: Store, { id }: KeyRow): Promise<ApiKeySummary> {
  const owner = await ownerIn(store)(id)
  const { key, principal } = owner
  if (key === undefined || principal === undefined)
    throw new CmdopError('server', `The principal of the key ${id} is missing.`)
  return {
    id,
    fleet_id: key.fleetId,
    name: key.name,
    kind: kindOf(principal),
    role: effectiveRole(owner),
    principal_id: principal.id,
    credential: key.credential,
    scopes: key.scopes === null ? null : [...key.scopes],
    ip_ranges: key.ipRanges === null ? null : [...key.ipRanges],
    max_targets_per_run: key.maxTargetsPerRun,
    rotated_from: key.rotatedFrom,
    created_by_id: makerOf(key, principal),
    key_prefix: key.prefix,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    last_used_at: key.lastUsedAt,
    revoked_at: key.revokedAt,
  }
}
