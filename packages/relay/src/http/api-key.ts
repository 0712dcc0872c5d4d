import { CmdopError } from '@cmdop/protocol'
import type { FastifyInstance } from 'fastify'

/** How a request to the platform says who it is, beside a bearer key. */
export const platformSecurity = [{ apiKey: [] }, { bearer: [] }]

/** Takes the key of a request from `X-Api-Key`, for all routes of this part. One that has another bearer key too is refused. */
export function acceptApiKey(app: Pick<FastifyInstance, 'addHook'>): void {
  app.addHook('onRequest', async (request) => {
    const key = request.headers['x-api-key']
    if (key === undefined) return
    const authorization = `Bearer ${String(key)}`
    if (request.headers.authorization !== undefined && request.headers.authorization !== authorization)
      throw new CmdopError('auth', 'Expected one key: X-Api-Key, or Authorization, and not two that differ.')
    request.headers.authorization = authorization
  })
}
