import {
  FLEET_ROW_PAGE_BYTES,
  FleetApprovalAsked,
  FleetApprovalRequest,
  FleetRunAppend,
  FleetRunAppended,
  FleetRunClaim,
  FleetRunClaimed,
  FleetRunCreate,
  FleetRunCreated,
  FleetRunDetails,
  FleetRunList,
  FleetRunListQuery,
  FleetRunPause,
  FleetRunSummary,
  FleetRunTargetList,
  FleetRunTargetsQuery,
  MAX_FLEET_APPEND_BYTES,
  MAX_FLEET_APPROVAL_BYTES,
  RunId,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { FleetRunLedger } from '../../fleet-runs/fleet-run-ledger.ts'
import { audited } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { formatCursor, parseCursor } from '../cursor.ts'
import { guard } from '../guard.ts'
import { permittedCall } from '../permitted-call.ts'

const FleetRunParams = z.object({ run: RunId.describe('Id of the run') })
const bodyLimit = MAX_FLEET_APPEND_BYTES

/** Fleet runs of the caller's fleet, and how they ended on each machine. */
export function fleetRunRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus, approvals } = context
  const voidApprovals = approvals.desk.voidRun.bind(approvals.desk)
  const ledger = new FleetRunLedger({ store, bus, voidApprovals })
  return async (app) => {
    app.post(
      '/api/fleet-runs',
      {
        bodyLimit,
        schema: { summary: 'A fleet run begins', body: FleetRunCreate, response: { 200: FleetRunCreated } },
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
        const subject = request.body.again ? 'fleet-run:retry' : 'fleet-run:resume'
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
          const { cancelRequestedAt, wait, continuedWave } = await ledger.record(caller, runId, request.body)
          return { cancelRequested: cancelRequestedAt !== null, wait, continuedWave }
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

    app.post(
      '/api/fleet-runs/:run/approvals',
      {
        bodyLimit: MAX_FLEET_APPROVAL_BYTES,
        schema: {
          summary: 'Ask people to approve what a fleet run is to do on some of its machines',
          params: FleetRunParams,
          body: FleetApprovalRequest,
          response: { 200: FleetApprovalAsked },
        },
      },
      async (request) => {
        const { run: runId } = request.params
        const act = {
          action: 'approval.request' as const,
          runId,
          subject: 'fleet-run:approval',
          anyMachine: true as const,
        }
        return audited(context, request, act, async (caller, note) => {
          const asked = await approvals.fleetQuestions.ask(caller, { ...request.body, runId }, (machineId, method) =>
            permittedCall(store, caller, { machineId, method }),
          )
          if (asked.approval !== null) note({ approvalId: asked.approval.id })
          return asked
        })
      },
    )

    app.post(
      '/api/fleet-runs/:run/pause',
      {
        schema: {
          summary: 'Begin no machine of a fleet run until a person continues it',
          params: FleetRunParams,
          body: FleetRunPause,
          response: { 200: FleetRunSummary },
        },
      },
      async (request) => {
        const { run: runId } = request.params
        return audited(context, request, { action: 'run.write', runId, subject: 'fleet-run:pause' }, (caller) =>
          ledger.pause(caller, runId, request.body.reason),
        )
      },
    )

    app.post(
      '/api/fleet-runs/:run/continue',
      { schema: { summary: 'Let a fleet run go on', params: FleetRunParams, response: { 200: FleetRunSummary } } },
      async (request) => {
        const { run: runId } = request.params
        return audited(
          context,
          request,
          { action: 'approval.decide', runId, subject: 'fleet-run:continue' },
          (caller) => ledger.continue(caller, runId),
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
          ...(cursor === undefined ? {} : { after: parseCursor('createdAt', cursor) }),
          ...(state === undefined ? {} : { state }),
        })
        const items = await Promise.all(rows.slice(0, limit).map((row) => ledger.summary(row)))
        const has_more = rows.length > limit
        return {
          items,
          next_cursor: has_more ? formatCursor(items.at(-1), ({ createdAt, runId }) => [createdAt, runId]) : null,
          has_more,
        }
      },
    )

    app.get(
      '/api/fleet-runs/:run',
      { schema: { summary: 'One fleet run', params: FleetRunParams, response: { 200: FleetRunDetails } } },
      async (request) => {
        const { run: runId } = request.params
        return audited(context, request, { action: 'run.read', runId }, (caller) => ledger.details(caller, runId))
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
