import { CmdopError, EnrollmentTokenIssue, EnrollmentTokenIssued, EnrollRequest, EnrollResponse } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { normalKey } from '../../auth/machine-key.ts'
import { matchesHash, newId, newSecret, parseSecret } from '../../auth/secrets.ts'
import type { EnrollmentTokenRow, Store } from '../../store/store.ts'
import { labelsIn } from '../../machines/labels.ts'
import type { HttpContext } from '../context.ts'
import { audited } from '../audited.ts'

/** Enrolment: a token for an owner or admin, a place in the fleet for the machine that shows it. */
export function enrollRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store } = context
  return async (app) => {
    app.post(
      '/api/enrollment-tokens',
      {
        schema: {
          summary: 'Issue an enrolment token; it is shown once',
          body: EnrollmentTokenIssue,
          response: { 201: EnrollmentTokenIssued },
        },
      },
      async (request, reply) => {
        const secret = newSecret('enroll')
        const now = Date.now()
        const { max_uses, expires_in_seconds, labels } = request.body
        const expires_at = new Date(now + expires_in_seconds * 1000).toISOString()
        const act = { action: 'machine.enroll', subject: `token:${secret.id}` } as const
        await audited(context, request, act, (caller) =>
          store.enrollmentTokens.create({
            id: secret.id,
            fleetId: caller.fleetId,
            secretHash: secret.hash,
            createdById: caller.principalId,
            createdAt: new Date(now).toISOString(),
            expiresAt: expires_at,
            maxUses: max_uses,
            uses: 0,
            labels: JSON.stringify(labels),
          }),
        )
        return reply.status(201).send({ id: secret.id, raw_token: secret.raw, expires_at, max_uses })
      },
    )

    app.post(
      '/api/enroll',
      { schema: { summary: 'Enrol a machine', security: [], body: EnrollRequest, response: { 201: EnrollResponse } } },
      async (request, reply) => {
        const { token, public_key, hostname, name = hostname, os, architecture, agent_version, labels } = request.body
        const row = await findToken(store, token)
        const key = normalKey(public_key)
        const machine_id = newId('mch_')
        const joined = {
          principalId: machine_id,
          principalKind: 'machine',
          principalName: name,
          subject: `token:${row.id}`,
        }
        const entry = { fleetId: row.fleetId, action: 'machine.enroll', ...joined, requestId: request.id }
        await context.audit.around(entry, () =>
          store.machines.enroll(
            {
              id: machine_id,
              fleetId: row.fleetId,
              name,
              hostname,
              os,
              architecture,
              agentVersion: agent_version,
              publicKey: key,
              createdAt: new Date().toISOString(),
              lastSeenAt: null,
              disabledAt: null,
              createdById: row.createdById,
              labels: JSON.stringify({ ...labels, ...labelsIn(row.labels) }),
            },
            row.id,
          ),
        )
        await context.bus.publish({ type: 'machine-changed', machineId: machine_id, change: 'enrolled' })
        const { relayId: relay_id, relayPublicKey: relay_public_key } = context
        return reply.status(201).send({ machine_id, fleet_id: row.fleetId, name, relay_id, relay_public_key })
      },
    )
  }
}

async function findToken(store: Store, token: string): Promise<EnrollmentTokenRow> {
  const shown = parseSecret(token)
  const row = shown?.kind === 'enroll' ? await store.enrollmentTokens.get(shown.id) : undefined
  if (shown === undefined || row === undefined || !matchesHash(shown.secret, row.secretHash)) {
    throw new CmdopError('auth', 'The enrolment token is not valid here; an admin can issue one: cmdop machine token.')
  }
  return row
}
