import { compilePolicy, Policy, PrincipalKind, simulate } from '@cmdop/policy'
import { CmdopError, PolicyDocument, PolicyQuery, PolicyTest, PolicyTestAnswer, PolicyWrite } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Caller } from '../../auth/authenticate.ts'
import type { PolicyRow } from '../../store/policy-store.ts'
import { audited, digestOf } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { guard } from '../guard.ts'

/** The policy of the fleet and of its machines, and what it would decide. */
export function policyRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, policies } = context
  return async (app) => {
    app.get(
      '/api/policy',
      {
        schema: {
          summary: 'The policy of the fleet, or of one machine beside it',
          querystring: PolicyQuery,
          response: { 200: PolicyDocument },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'policy.read')
        const machineId = await scopeOf(caller, request.query.machine_id)
        const { policy, row } = await policies.read(caller.fleetId, machineId)
        return documentOf(policy, machineId, row)
      },
    )

    app.put(
      '/api/policy',
      {
        schema: {
          summary: 'Replace it; the examples of every rule are run first',
          querystring: PolicyQuery,
          body: PolicyWrite,
          response: { 200: PolicyDocument },
        },
      },
      async (request) =>
        audited(
          context,
          request,
          {
            action: 'policy.write',
            ...scopeNamed(request.query.machine_id),
            subject: `policy:${request.body.version}`,
            digest: digestOf(request.body.policy),
          },
          async (caller) => {
            const machineId = await scopeOf(caller, request.query.machine_id)
            const policy = parsePolicy(request.body.policy)
            const row = await policies.write(caller, machineId, { policy, version: request.body.version })
            return documentOf(policy, machineId, row)
          },
        ),
    )

    app.post(
      '/api/policy/test',
      {
        schema: {
          summary: 'What it would decide about calls; nothing runs',
          body: PolicyTest,
          response: { 200: PolicyTestAnswer },
        },
      },
      async (request) => {
        const caller = await guard(context, request, 'policy.read')
        const { machine_id, policy, who, calls } = request.body
        const machineId = await scopeOf(caller, machine_id)
        const compiled =
          policy === undefined
            ? await policies.of(caller.fleetId, machineId)
            : compilePolicy({ fleet: parsePolicy(policy) })
        const principalKind = PrincipalKind.parse(who)
        const rows = simulate(
          compiled,
          calls.map(({ command, method: tool, paths }) => ({ principalKind, command, tool, paths })),
        )
        return {
          items: rows.map(({ call, decided }) => ({
            call,
            decision: decided.decision,
            rule: decided.rule,
            layer: decided.layer,
            reason: decided.reason,
            class: decided.class,
            danger: decided.danger,
            danger_reason: decided.dangerReason,
            permitted_by: decided.permittedBy,
            deletes: decided.deleting,
          })),
        }
      },
    )
  }

  /** The machine that is meant, of the caller's fleet; null: the fleet. */
  async function scopeOf(caller: Caller, machineId: string | undefined): Promise<string | null> {
    if (machineId === undefined) return null
    const machine = await store.machines.get(machineId)
    if (machine?.fleetId === caller.fleetId) return machineId
    throw new CmdopError('not_found', 'There is no such machine in your fleet.')
  }
}

function scopeNamed(machineId: string | undefined): { machineId?: string } {
  return machineId === undefined ? {} : { machineId }
}

function parsePolicy(given: unknown): Policy {
  const parsed = Policy.safeParse(given)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the policy'}: ${message}`)
  throw new CmdopError('validation', `The policy is not valid: ${issues.slice(0, 20).join('; ')}`)
}

function documentOf(policy: Policy, machineId: string | null, row: PolicyRow | undefined): PolicyDocument {
  return {
    machine_id: machineId,
    policy: { ...policy },
    version: row?.version ?? 0,
    updated_at: row?.updatedAt ?? null,
    updated_by: row?.updatedById ?? null,
  }
}
