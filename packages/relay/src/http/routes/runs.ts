import {
  MAX_RUN_APPEND_BYTES,
  RUN_PAGE_BYTES,
  RunAppend,
  RunAppended,
  RunCreate,
  RunEntriesQuery,
  RunEntry,
  RunEntryList,
  RunId,
  RunList,
  RunListQuery,
  RunSummary,
} from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Caller } from '../../auth/authenticate.ts'
import { RecentOwners } from '../../auth/recent-owners.ts'
import { noSuchRun, type RunWriter } from '../../runs/run-journals.ts'
import type { RunRow } from '../../store/store.ts'
import { audited } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { formatCursor, parseCursor } from '../cursor.ts'
import { assertInScope, guard, guardList, guardOften, permittedOn } from '../guard.ts'

const RunParams = z.object({ run: RunId.describe('Id of the run') })
const bodyLimit = MAX_RUN_APPEND_BYTES

/** Operators' runs of the caller's fleet, and their journals. */
export function runRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus, runs: journals } = context
  const owners = new RecentOwners(store)
  /** One run that is read, which is a row of the audit log. */
  const read = (request: FastifyRequest, id: string) =>
    audited(context, request, { action: 'run.read', runId: id, anyMachine: true }, async (caller, note) => {
      const row = await store.runs.get(id)
      if (row?.fleetId !== caller.fleetId) throw noSuchRun()
      await assertInScope(store, caller, 'run.read', row.machineId)
      note({ machineId: row.machineId })
      return row
    })
  const writable = async (request: FastifyRequest, caller: Caller, machineId: string) => {
    // What only a scope can forbid is not looked up for who has none.
    if (caller.scopes.length > 0) await permittedOn(context, request, { caller, action: 'run.write', machineId })
  }
  return async (app) => {
    const stop = bus.subscribe((message) => {
      if (message.type === 'key-revoked' || message.type === 'principal-changed') owners.forget()
    })
    app.addHook('onClose', async () => stop())

    app.post(
      '/api/runs',
      { bodyLimit, schema: { summary: 'A run begins', body: RunCreate, response: { 200: RunAppended } } },
      async (request) => {
        const caller = await guard(context, request, 'run.write', { machine: 'any' })
        await writable(request, caller, request.body.machineId)
        return { entries: await journals.create(writerOf(request, caller), request.body) }
      },
    )

    app.post(
      '/api/runs/:run/entries',
      {
        bodyLimit,
        schema: { summary: 'More of a run', params: RunParams, body: RunAppend, response: { 200: RunAppended } },
      },
      async (request) => {
        const caller = await guardOften({ ...context, ownerOf: owners.of }, request, 'run.write')
        const { run } = request.params
        const known = caller.scopes.length === 0 ? undefined : await store.runs.get(run)
        if (known?.fleetId === caller.fleetId) await writable(request, caller, known.machineId)
        return { entries: await journals.append(writerOf(request, caller), run, request.body) }
      },
    )

    app.get(
      '/api/runs',
      {
        schema: {
          summary: 'Runs of your fleet, the newest first',
          querystring: RunListQuery,
          response: { 200: RunList },
        },
      },
      async (request) => {
        const { limit, cursor, machineId, state } = request.query
        const { fleetId } = await guardList(context, request, 'run.read', machineId)
        const rows = await store.runs.list(fleetId, {
          limit: limit + 1,
          ...(cursor === undefined ? {} : { after: parseCursor('createdAt', cursor) }),
          ...(machineId === undefined ? {} : { machineId }),
          ...(state === undefined ? {} : { state }),
        })
        const items = rows.slice(0, limit)
        const has_more = rows.length > limit
        return {
          items: items.map(summary),
          next_cursor: has_more ? formatCursor(items.at(-1), ({ createdAt, id }) => [createdAt, id]) : null,
          has_more,
        }
      },
    )

    app.get(
      '/api/runs/:run',
      { schema: { summary: 'One run', params: RunParams, response: { 200: RunSummary } } },
      async (request) => summary(await read(request, request.params.run)),
    )

    app.get(
      '/api/runs/:run/entries',
      {
        schema: {
          summary: 'Its journal, in order',
          params: RunParams,
          querystring: RunEntriesQuery,
          response: { 200: RunEntryList },
        },
      },
      async (request) => {
        const { id } = await read(request, request.params.run)
        const { cursor: from, limit } = request.query
        const rows = await store.runs.entries(id, { from, limit: limit + 1 })
        const [first] = rows
        const before = first === undefined ? 0 : first.totalBytes - Buffer.byteLength(first.body)
        const shown = rows
          .slice(0, limit)
          .filter(({ totalBytes }, index) => index === 0 || totalBytes - before <= RUN_PAGE_BYTES)
        const has_more = shown.length < rows.length
        const items = shown.map(({ at, body }) => ({ at, entry: RunEntry.parse(JSON.parse(body)) }))
        return { items, next_cursor: has_more ? from + shown.length : null, has_more }
      },
    )
  }
}

function writerOf({ id: requestId }: FastifyRequest, caller: Caller): RunWriter {
  return { ...caller, requestId }
}

function summary(run: RunRow): RunSummary {
  const { id, policy: _, ...row } = run
  return { runId: id, ...row }
}
