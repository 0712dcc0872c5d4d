import { randomUUID } from 'node:crypto'
import swagger from '@fastify/swagger'
import { CmdopError, MACHINE_REQUEST_SCHEME, toWireError } from '@cmdop/protocol'
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
import { isAddressIn } from '../auth/addresses.ts'
import { RELAY_VERSION } from '../version.ts'
import type { HttpContext } from './context.ts'
import { takeIdempotencyKeys } from './idempotency.ts'
import { withCommonParts } from './openapi.ts'
import { apiKeyRoutes } from './routes/api-keys.ts'
import { approvalEventRoutes } from './routes/approval-events.ts'
import { approvalPageRoutes } from './routes/approval-pages.ts'
import { approvalRoutes } from './routes/approvals.ts'
import { askRoutes } from './routes/ask.ts'
import { auditRoutes } from './routes/audit.ts'
import { enrollRoutes } from './routes/enroll.ts'
import { loginRoutes } from './routes/login.ts'
import { machineEventRoutes } from './routes/machine-events.ts'
import { machineInfoRoutes } from './routes/machine-info.ts'
import { machineKeyRoutes } from './routes/machine-keys.ts'
import { machineRoutes } from './routes/machines.ts'
import { policyRoutes } from './routes/policies.ts'
import { memberRoutes } from './routes/members.ts'
import { recordingUploadRoutes } from './routes/recording-uploads.ts'
import { recordingRoutes } from './routes/recordings.ts'
import { fleetMachineRoutes } from './routes/fleet-machines.ts'
import { fleetRoutes } from './routes/fleets.ts'
import { fleetRunRoutes } from './routes/fleet-runs.ts'
import { runRoutes } from './routes/runs.ts'
import { skillAuthorRoutes } from './routes/skill-authors.ts'
import { skillRoutes } from './routes/skills.ts'
import { scheduleRunRoutes } from './routes/schedule-runs.ts'
import { scheduleRoutes } from './routes/schedules.ts'
import { systemRoutes } from './routes/system.ts'
import { tunnelRoutes } from './routes/tunnels.ts'
import { webhookRoutes } from './routes/webhooks.ts'

/** Bytes of a request body at most. */
const BODY_LIMIT_BYTES = 1024 * 1024

export interface AppOptions {
  readonly logger: FastifyBaseLogger
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Addresses of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[]
}

/** The REST side of the relay. Every error has one body, see `docs/errors.md`. */
export async function createApp(context: HttpContext, options: AppOptions): Promise<FastifyInstance> {
  const { trustedProxies = [] } = options
  const app = fastify({
    loggerInstance: options.logger,
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: () => `req_${randomUUID()}`,
    // Life is long for keep-alive clients, but a half request is not waited for.
    requestTimeout: 30_000,
    forceCloseConnections: true,
    trustProxy: (address: string) => isAddressIn(address, trustedProxies),
    ...(options.tls === undefined ? {} : { https: { cert: options.tls.cert, key: options.tls.key } }),
  }) as unknown as FastifyInstance
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error, request, reply) =>
    answerError(toError(error, request.routeOptions.bodyLimit), request, reply),
  )
  app.setNotFoundHandler((request, reply) =>
    answerError(
      new CmdopError('not_found', `There is no ${request.method} ${pathOf(request.url)}; see /api/openapi.json.`),
      request,
      reply,
    ),
  )
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'CMDOP relay', version: RELAY_VERSION, license: { name: 'Apache-2.0' } },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
          machine: { type: 'http', scheme: MACHINE_REQUEST_SCHEME },
        },
      },
      security: [{ bearer: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: (given) =>
      'openapiObject' in given ? withCommonParts(given.openapiObject as object) : given.swaggerObject,
  })
  takeIdempotencyKeys(app, context)
  await app.register(systemRoutes(context))
  await app.register(enrollRoutes(context))
  await app.register(machineRoutes(context))
  await app.register(machineInfoRoutes(context))
  await app.register(machineEventRoutes(context))
  await app.register(machineKeyRoutes(context))
  await app.register(askRoutes(context))
  await app.register(apiKeyRoutes(context))
  await app.register(approvalRoutes(context))
  await app.register(approvalEventRoutes(context))
  await app.register(approvalPageRoutes(context))
  await app.register(policyRoutes(context))
  await app.register(fleetRoutes(context))
  await app.register(fleetMachineRoutes(context))
  await app.register(memberRoutes(context))
  await app.register(loginRoutes(context))
  await app.register(webhookRoutes(context))
  await app.register(skillRoutes(context))
  await app.register(skillAuthorRoutes(context))
  await app.register(scheduleRoutes(context))
  await app.register(scheduleRunRoutes(context))
  await app.register(tunnelRoutes(context))
  await app.register(recordingRoutes(context))
  await app.register(auditRoutes(context))
  // Scripts write all the time.
  await app.register(runRoutes(context), { logLevel: 'warn' })
  await app.register(fleetRunRoutes(context), { logLevel: 'warn' })
  // Machines send all the time.
  await app.register(recordingUploadRoutes(context), { logLevel: 'warn' })
  await app.ready()
  return app
}

/** The path without its query, which may hold a ticket. */
export function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? ''
}

function toError(error: unknown, limit = BODY_LIMIT_BYTES): CmdopError {
  if (error instanceof CmdopError) return error
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map(
      ({ instancePath, message }) => `${instancePath || 'the request'}: ${message ?? 'wrong'}`,
    )
    return new CmdopError('validation', `The request is not valid: ${issues.join('; ')}`, { details: { issues } })
  }
  const status = statusOf(error)
  if (status === 413)
    return new CmdopError('frame_too_large', `Expected a body of at most ${limit} bytes.`, { cause: error })
  if (status === 401) return new CmdopError('auth', 'The request is not authenticated.', { cause: error })
  if (status >= 400 && status < 500)
    return new CmdopError('validation', 'The request could not be read as JSON.', { cause: error })
  return new CmdopError('server', 'The relay met a fault of its own; its log has the request id.', { cause: error })
}

function statusOf(error: unknown): number {
  return typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : 500
}

function answerError(error: CmdopError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.code === 'server') request.log.error({ err: error.cause ?? error }, 'request failed')
  if (error.retryAfter !== undefined) void reply.header('retry-after', Math.ceil(error.retryAfter))
  return reply.status(error.status).send({ error: { ...toWireError(error), requestId: request.id } })
}
