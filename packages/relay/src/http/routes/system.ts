import { Health, Me } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { RELAY_VERSION } from '../../version.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

/** Health, metrics and the OpenAPI document. */
export function systemRoutes(context: HttpContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/health',
      { schema: { summary: 'Whether the relay serves', security: [], response: { 200: Health, 503: Health } } },
      async (_request, reply) => {
        await context.store.ping()
        const draining = context.isDraining()
        const health = {
          status: draining ? ('draining' as const) : ('ok' as const),
          relay_id: context.relayId,
          version: RELAY_VERSION,
        }
        return draining ? reply.status(503).send(health) : health
      },
    )

    app.get('/api/me', { schema: { summary: 'Who your key is', response: { 200: Me } } }, async (request) => {
      const { principal, role, fleetId, key } = await guard(context, request, 'machine.list')
      const { id, kind, name, email, actsForId } = principal
      const fleet = await context.store.fleets.get(fleetId)
      return {
        principal_id: id,
        kind,
        name,
        role,
        fleet_id: fleetId,
        fleet_name: fleet?.name ?? '',
        email,
        groups: [...principal.groups],
        acts_for_id: actsForId,
        credential: {
          id: key.id,
          type: key.credential,
          expires_at: key.expiresAt,
          scopes: key.scopes === null ? null : [...key.scopes],
          max_targets_per_run: key.maxTargetsPerRun,
        },
      }
    })

    app.get(
      '/metrics',
      { schema: { summary: 'Prometheus text', response: { 200: z.string() } } },
      async (request, reply) => {
        await guard(context, request, 'metrics.read')
        return reply.type(context.metrics.registry.contentType).send(await context.metrics.registry.metrics())
      },
    )

    app.get('/api/openapi.json', { schema: { hide: true, security: [] } }, async () => app.swagger())
  }
}
