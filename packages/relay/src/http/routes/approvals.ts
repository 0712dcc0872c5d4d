import {
  ApprovalActionList,
  ApprovalActionsQuery,
  ApprovalApprove,
  ApprovalDeny,
  ApprovalInfo,
  ApprovalList,
  ApprovalListQuery,
  ApprovalRequest,
  ApprovalWaitQuery,
  CmdopError,
  GrantInfo,
  GrantList,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actionView, grantView, summaryOf, viewOf } from '../../approvals/approval-view.ts'
import { operatorOf } from '../../auth/operator-of.ts'
import { noSuchApproval } from '../../approvals/refusals.ts'
import { audited } from '../audited.ts'
import { permittedCall } from '../permitted-call.ts'
import type { HttpContext } from '../context.ts'
import { formatCursor, parseCursor } from '../cursor.ts'
import { guard } from '../guard.ts'

const ApprovalParams = z.object({ approval: z.string().min(1).max(64).describe('Id of the approval') })
const GrantParams = z.object({ grant: z.string().min(1).max(64).describe('Id of the grant') })

/** Questions to people, their answers, and what they granted. */
export function approvalRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, approvals } = context
  const { desk, questions, waits } = approvals
  return async (app) => {
    app.post(
      '/api/approvals',
      { schema: { summary: 'Ask people to approve a plan', body: ApprovalRequest, response: { 201: ApprovalInfo } } },
      async (request, reply) => {
        const asked = await audited(
          context,
          request,
          { action: 'approval.request', anyMachine: true },
          async (caller, note) => {
            const acting = request.body.run_id === undefined ? caller : operatorOf(caller)
            await context.reach.runOf(acting, request.body.run_id)
            const made = await questions.ofPlan(acting, request.body, (machineId, method) =>
              permittedCall(store, acting, { machineId, method }),
            )
            note({ approvalId: made.row.id, runId: made.row.runId })
            return made
          },
        )
        return reply.status(201).send(viewOf(asked))
      },
    )

    app.get(
      '/api/approvals',
      {
        schema: {
          summary: 'Approvals of the fleet, the newest first',
          querystring: ApprovalListQuery,
          response: { 200: ApprovalList },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'approval.read')
        const { limit, cursor, state, run_id: runId, machine_id: machineId } = request.query
        const found = await store.approvals.list(caller.fleetId, {
          limit: limit + 1,
          ...(cursor === undefined ? {} : { after: parseCursor('createdAt', cursor) }),
          ...(state === undefined ? {} : { state }),
          ...(runId === undefined ? {} : { runId }),
          ...(machineId === undefined ? {} : { machineId }),
        })
        const items = found.slice(0, limit).map(summaryOf)
        return {
          items,
          next_cursor:
            found.length > limit ? formatCursor(items.at(-1), ({ created_at, id }) => [created_at, id]) : null,
        }
      },
    )

    app.get(
      '/api/approvals/:approval',
      {
        schema: {
          summary: 'One approval, with exactly what would run; waits for the decision if asked to',
          params: ApprovalParams,
          querystring: ApprovalWaitQuery,
          response: { 200: ApprovalInfo },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'approval.read')
        const { wait_seconds: seconds } = request.query
        const found = await waits.ofFleet(caller.fleetId, request.params.approval, seconds * 1000)
        // Who may not read it any more has waited in vain.
        if (seconds > 0) await guard(context, request, 'approval.read')
        return found
      },
    )

    app.get(
      '/api/approvals/:approval/actions',
      {
        schema: {
          summary: 'What would run on each machine, in order',
          params: ApprovalParams,
          querystring: ApprovalActionsQuery,
          response: { 200: ApprovalActionList },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'approval.read')
        const { approval } = request.params
        const { cursor, limit } = request.query
        const head = await store.approvals.head(approval)
        if (head?.row.fleetId !== caller.fleetId) throw noSuchApproval()
        const rows = await store.approvals.actions(
          approval,
          Array.from({ length: limit + 1 }, (_, index) => cursor + index),
        )
        const items = rows.slice(0, limit).map(actionView)
        return { items, next_cursor: rows.length > limit ? cursor + limit : null }
      },
    )

    app.post(
      '/api/approvals/:approval/approve',
      {
        schema: {
          summary: 'Approve exactly what the plan digest is of, or an edited version',
          params: ApprovalParams,
          body: ApprovalApprove,
          response: { 200: ApprovalInfo },
        },
      },
      async (request) => {
        const { plan_digest: planDigest, reason, edited, grant_seconds: grantSeconds } = request.body
        const { approval } = request.params
        const act = {
          action: 'approval.decide',
          digest: planDigest,
          approvalId: approval,
          subject: 'vote:approve',
        } as const
        return viewOf(
          await audited(context, request, act, (caller) =>
            desk.approve(caller, approval, { planDigest, reason, edited, grantSeconds }),
          ),
        )
      },
    )

    app.post(
      '/api/approvals/:approval/deny',
      {
        schema: {
          summary: 'Deny it; one is enough',
          params: ApprovalParams,
          body: ApprovalDeny,
          response: { 200: ApprovalInfo },
        },
      },
      async (request) => {
        const { reason, do_not_retry: doNotRetry } = request.body
        const { approval } = request.params
        return viewOf(
          await audited(
            context,
            request,
            { action: 'approval.decide', approvalId: approval, subject: 'vote:deny' },
            (caller) => desk.deny(caller, approval, { reason, doNotRetry }),
          ),
        )
      },
    )

    app.post(
      '/api/approvals/:approval/withdraw',
      { schema: { summary: 'Take your own question back', params: ApprovalParams, response: { 200: ApprovalInfo } } },
      async (request) =>
        viewOf(
          await audited(
            context,
            request,
            { action: 'approval.request', approvalId: request.params.approval },
            (caller) => desk.withdraw(caller, request.params.approval),
          ),
        ),
    )

    app.get(
      '/api/grants',
      { schema: { summary: 'What may be done again without asking', response: { 200: GrantList } } },
      async (request) => {
        const caller = await guard(context, request, 'approval.read')
        return { items: (await store.approvals.grants.list(caller.fleetId)).map(grantView) }
      },
    )

    app.delete(
      '/api/grants/:grant',
      { schema: { summary: 'End a grant at once', params: GrantParams, response: { 200: GrantInfo } } },
      async (request) =>
        audited(
          context,
          request,
          { action: 'grant.revoke', subject: `grant:${request.params.grant}` },
          async (caller) => {
            const { grant: grantId } = request.params
            const grant = await store.approvals.grants.get(grantId)
            if (grant === undefined || grant.fleetId !== caller.fleetId)
              throw new CmdopError('not_found', 'There is no such grant in your fleet.')
            await store.approvals.grants.revoke(grantId, new Date().toISOString())
            return grantView((await store.approvals.grants.get(grantId)) ?? grant)
          },
        ),
    )
  }
}
