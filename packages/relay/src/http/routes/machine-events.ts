import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { assertPosition } from '../../machines/machine-watches.ts'
import type { HttpContext } from '../context.ts'
import { sendEvents } from '../events.ts'
import { guard } from '../guard.ts'
import { watchRight } from '../standing-right.ts'

/** What becomes of machines, as it happens. */
export function machineEventRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { watches, heartbeatMs } = context
  return async (app) => {
    app.get(
      '/api/machines/events',
      { schema: { summary: 'What becomes of machines, as it happens; goes on after Last-Event-ID' } },
      async (request, reply) => {
        const caller = await guard(context, request, 'machine.list')
        const after = request.headers['last-event-id']?.toString()
        assertPosition(after)
        using right = watchRight(context, caller, 'machine.list')
        await sendEvents(reply, heartbeatMs, (gone) =>
          watches.follow({ caller, after, signal: AbortSignal.any([gone, right.lost]) }),
        )
      },
    )
  }
}
