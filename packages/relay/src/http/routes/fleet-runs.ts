import {
  CmdopError,
  FLEET_ROW_PAGE_BYTES,
  FleetRunAppend,
  FleetRunAppended,
  FleetRunClaim,
  FleetRunClaimed,
  FleetRunCreate,
  FleetRunList,
  FleetRunListQuery,
  FleetRunSummary,
  FleetRunTargetList,
  FleetRunTargetsQuery,
  MAX_FLEET_APPEND_BYTES,
  RunId,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { FleetRunLedger } from '../../fleet-runs/fleet-run-ledger.ts'
import { audited } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

const FleetRunParams = z.object({ run: RunId })
const Cursor = z.tuple([z.string(), z.string()])
const bodyLimit = MAX_FLEET_APPEND_BYTES

/** Fleet runs of the caller's fleet, and how they ended on each machine. */
export function fleetRunRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store } = context
  const ledger = new FleetRunLedger(store)
  return async (app) => {
    app.post(
      '/api/fleet-runs',
      {
        bodyLimit,
        schema: { summary: 'A fleet run begins', body: FleetRunCreate, response: { 200: FleetRunClaimed } },
      },
      async (request) => {
        const { runId, planDigest } = request.body
        const act = { action: 'run.write' as const, runId, subject: 'fleet-run:begin', digest: planDigest }
        return audited(context, request, { ...act, anyMachine: true }, (caller) => ledger.create(caller, request.body))
      },
    )

    app.post(
      '/api/fleet-runs/:run/claim',
      {
        schema: {
          summary: 'A script goes on with a fleet run',
          params: FleetRunParams,
          body: FleetRunClaim,
          response: { 200: FleetRunClaimed },
        },
      },
      async (request) => {
        const { run: runId } = request.params
        const subject = request.body.retry === undefined ? 'fleet-run:resume' : 'fleet-run:retry'
        return audited(context, request, { action: 'run.write', runId, subject, anyMachine: true }, (caller) =>
          ledger.claim(caller, runId, request.body),
        )
      },
    )

    app.post(
      '/api/fleet-runs/:run/rows',
      {
        bodyLimit,
        schema: {
          summary: 'How a fleet run ended on machines',
          params: FleetRunParams,
          body: FleetRunAppend,
          response: { 200: FleetRunAppended },
        },
      },
      async (request) => {
        const { run: runId } = request.params
        const { state } = request.body
        const write = async (caller: Parameters<FleetRunLedger['record']>[0]) => {
          const { cancelRequestedAt } = await ledger.record(caller, runId, request.body)
          return { cancelRequested: cancelRequestedAt !== null }
        }
        // What the machines did is in the log already; that the run is over is said once.
        if (state === undefined) return write(await guard(context, request, 'run.write', { machine: 'any' }))
        const act = { action: 'run.write' as const, runId, subject: `fleet-run:${state}` }
        return audited(context, request, { ...act, anyMachine: true }, write)
      },
    )

    app.post(
      '/api/fleet-runs/:run/cancel',
      { schema: { summary: 'Cancel a fleet run', params: FleetRunParams, response: { 200: FleetRunSummary } } },
      async (request) => {
        const { run: runId } = request.params
        return audited(context, request, { action: 'run.write', runId, subject: 'fleet-run:cancel' }, (caller) =>
          ledger.cancel(caller, runId),
        )
      },
    )

    app.get(
      '/api/fleet-runs',
      {
        schema: {
          summary: 'Fleet runs of your fleet, the newest first',
          querystring: FleetRunListQuery,
          response: { 200: FleetRunList },
        },
      },
      async (request) => {
        const { limit, cursor, state } = request.query
        const { fleetId } = await guard(context, request, 'run.read')
        const rows = await store.fleetRuns.list(fleetId, {
          limit: limit + 1,
          ...(cursor === undefined ? {} : { after: parseCursor(cursor) }),
          ...(state === undefined ? {} : { state }),
        })
        const items = await Promise.all(rows.slice(0, limit).map((row) => ledger.summary(row)))
        const has_more = rows.length > limit
        return { items, next_cursor: has_more ? formatCursor(items.at(-1)) : null, has_more }
      },
    )

    app.get(
      '/api/fleet-runs/:run',
      { schema: { summary: 'One fleet run', params: FleetRunParams, response: { 200: FleetRunSummary } } },
      async (request) => {
        const { run: runId } = request.params
        return audited(context, request, { action: 'run.read', runId }, async ({ fleetId }) =>
          ledger.summary(await ledger.find(fleetId, runId)),
        )
      },
    )

    app.get(
      '/api/fleet-runs/:run/targets',
      {
        schema: {
          summary: 'Its machines, in order, and how it ended on each',
          params: FleetRunParams,
          querystring: FleetRunTargetsQuery,
          response: { 200: FleetRunTargetList },
        },
      },
      async (request) => {
        const { run: runId } = request.params
        const { cursor: from, limit } = request.query
        return audited(context, request, { action: 'run.read', runId }, async ({ fleetId }) => {
          await ledger.find(fleetId, runId)
          const rows = await store.fleetRuns.targets(runId, { from, limit: limit + 1 })
          let bytes = 0
          const shown = rows.slice(0, limit).filter(({ row }, index) => {
            bytes += row === null ? 0 : Buffer.byteLength(row)
            return index === 0 || bytes <= FLEET_ROW_PAGE_BYTES
          })
          const has_more = shown.length < rows.length
          const items = shown.map(({ row, ...target }) => ({
            ...target,
            row: row === null ? null : (JSON.parse(row) as Record<string, unknown>),
          }))
          return { items, next_cursor: has_more ? from + shown.length : null, has_more }
        })
      },
    )
  }
}

function formatCursor(last: FleetRunSummary | undefined): string | null {
  if (last === undefined) return null
  return Buffer.from(JSON.stringify([last.createdAt, last.runId])).toString('base64url')
}

function parseCursor(text: string): { createdAt: string; id: string } {
  try {
    const [createdAt, id] = Cursor.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
    return { createdAt, id }
  } catch (cause) {
    throw new CmdopError('validation', 'Expected cursor to be the next_cursor of an earlier answer.', { cause })
  }
}
