import { CmdopError } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { followApprovals } from '../../approvals/approval-events.ts'
import type { HttpContext } from '../context.ts'
import { sendEvents } from '../events.ts'
import { guard } from '../guard.ts'

/** What becomes of approvals, as it happens. */
export function approvalEventRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus, heartbeatMs } = context
  return async (app) => {
    app.get(
      '/api/approvals/events',
      { schema: { summary: 'What becomes of approvals, as it happens; goes on after Last-Event-ID' } },
      async (request, reply) => {
        const caller = await guard(context, request, 'approval.read')
        const after = positionOf(request.headers['last-event-id'])
        await sendEvents(reply, heartbeatMs, (signal) => followApprovals({ store, bus, caller, after, signal }))
      },
    )
  }
}

function positionOf(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header)
  throw new CmdopError('validation', 'Expected Last-Event-ID to be the id of an event of approvals.')
}
