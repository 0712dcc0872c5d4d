import {
  AuditCheckpoints,
  AuditCheckpointsQuery,
  AuditExportQuery,
  AuditFilter,
  AuditKey,
  type AuditLog as AuditLogRow,
  AuditPage,
  AuditQuery,
  CmdopError,
} from '@cmdop/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { exportLog, exportRows } from '../../audit/export.ts'
import { followRows } from '../../audit/follow.ts'
import { listingOf } from '../../audit/listing.ts'
import type { Caller } from '../../auth/authenticate.ts'
import type { StoredAuditRow } from '../../store/audit-store.ts'
import { audited } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { type SentEvent, sendEvents } from '../event-stream.ts'
import { readableWhile, watchRight } from '../standing-right.ts'

/** The audit log of the caller's fleet. Each reading is itself a row of it. */
export function auditRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, auditLog } = context
  const read = <Result>(request: FastifyRequest, part: string, work: (caller: Caller) => Promise<Result>) =>
    audited(context, request, { action: 'audit.read', subject: `audit:${part}` }, work)
  return async (app) => {
    app.get(
      '/api/audit',
      {
        schema: {
          summary: 'Rows of the audit log, the newest first unless asked otherwise',
          querystring: AuditQuery,
          response: { 200: AuditPage },
        },
      },
      async (request) => {
        const { limit, cursor, order, ...filter } = request.query
        return read(request, 'rows', async ({ fleetId }) => {
          const after = cursor === undefined ? {} : { after: Number(cursor) }
          const rows = await store.audit.list(fleetId, { ...listingOf(filter), ...after, order, limit: limit + 1 })
          const shown = rows.slice(0, limit)
          const has_more = rows.length > limit
          const next_cursor = has_more ? String(shown.at(-1)?.position) : null
          return { items: shown.map(logOf), next_cursor, has_more }
        })
      },
    )

    app.get(
      '/api/audit/export',
      {
        schema: {
          summary: 'The audit log as JSONL, which can be verified when it is whole, or as CSV',
          querystring: AuditExportQuery,
          response: { 200: z.string().describe('application/x-ndjson or text/csv') },
        },
      },
      async (request, reply) => {
        const { format, ...filter } = request.query
        const caller = await read(request, `export:${format}`, async (reader) => reader)
        const isWhole = format === 'jsonl' && Object.keys(filter).length === 0
        const lines = isWhole
          ? exportLog({ store, ...auditLog }, caller.fleetId)
          : exportRows(store, caller.fleetId, { format, filter, listing: listingOf(filter) })
        const type = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson'
        return reply.type(type).send(readableWhile(watchRight(context, caller, 'audit.read'), lines) as never)
      },
    )

    app.get(
      '/api/audit/events',
      { schema: { summary: 'Rows as they are written, after Last-Event-ID', querystring: AuditFilter } },
      async (request, reply) => {
        const caller = await read(request, 'events', async (reader) => reader)
        await follow(context, { caller, request, reply })
      },
    )

    app.get(
      '/api/audit/checkpoints',
      {
        schema: {
          summary: 'Signed checkpoints, in order',
          querystring: AuditCheckpointsQuery,
          response: { 200: AuditCheckpoints },
        },
      },
      async (request) =>
        read(request, 'checkpoints', async ({ fleetId }) => {
          const { after, limit } = request.query
          const rows = await store.auditCheckpoints.list(fleetId, { after, limit: limit + 1 })
          const items = rows.slice(0, limit).map(({ number, body, signature }) => ({ number, body, signature }))
          const has_more = rows.length > limit
          return { items, next_cursor: has_more ? (items.at(-1)?.number ?? null) : null, has_more }
        }),
    )

    app.get(
      '/api/audit/key',
      { schema: { summary: 'The key that signs the checkpoints', response: { 200: AuditKey } } },
      async (request) =>
        read(request, 'key', async () => ({ relay_id: context.relayId, public_key: context.relayPublicKey })),
    )
  }
}

async function follow(
  context: HttpContext,
  {
    caller,
    request,
    reply,
  }: { caller: Caller; request: FastifyRequest<{ Querystring: AuditFilter }>; reply: FastifyReply },
): Promise<void> {
  const { store, audit: trail, heartbeatMs } = context
  const { fleetId } = caller
  const left = new AbortController()
  using right = watchRight(context, caller, 'audit.read')
  const signal = AbortSignal.any([left.signal, right.lost])
  const newest = await store.audit.list(fleetId, { limit: 1, order: 'newest' })
  const after = lastSeen(request) ?? newest[0]?.position ?? 0
  const rows = followRows({ store, trail }, { fleetId, listing: listingOf(request.query), after, signal })
  reply.raw.once('close', () => left.abort())
  await sendEvents(reply, eventsOf(rows), { heartbeatMs, from: String(after), until: right.lost })
  left.abort()
}

async function* eventsOf(rows: AsyncIterable<StoredAuditRow>): AsyncGenerator<SentEvent> {
  for await (const row of rows) yield { id: String(row.position), data: JSON.stringify(logOf(row)) }
}

function lastSeen(request: FastifyRequest): number | undefined {
  const header = request.headers['last-event-id']
  if (header === undefined) return undefined
  if (/^\d{1,15}$/.test(String(header))) return Number(header)
  throw new CmdopError('validation', 'Expected Last-Event-ID to be the id of an event of the audit log.')
}

function logOf({ row, chain, sequence }: StoredAuditRow): AuditLogRow {
  return { ...row, chain, sequence }
}
