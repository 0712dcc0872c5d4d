import { CmdopError, toCmdopError } from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import { authenticate, type Caller } from '../auth/authenticate.ts'
import { type Action, authorise } from '../auth/authorise.ts'
import { newId } from '../auth/secrets.ts'
import type { AuditRow, Store } from '../store/store.ts'
import { bearerOf } from './guard.ts'

/** What a request does, as the audit log has it. */
export interface AuditedAct {
  readonly action: Action
  /** The fleet acted in; the caller's own unless named. */
  readonly fleetId?: string
  readonly machineId?: string
  /** SHA-256 of what is done, hex. */
  readonly digest?: string
}

/**
 * Authorises what a request does, and does it between an intent and an outcome in the audit log; a refusal is a row too.
 * Nothing is done when the intent cannot be written. Throws what is answered.
 */
export async function audited<Result>(
  { store }: { readonly store: Store },
  request: FastifyRequest,
  act: AuditedAct,
  work: (caller: Caller) => Promise<Result>,
): Promise<Result> {
  const caller = await authenticate(store, bearerOf(request.headers))
  return await auditedAs(store, { ...act, caller, requestId: request.id }, () => work(caller))
}

/** {@link audited} for a caller who is known by other means than a bearer key. */
export async function auditedAs<Result>(
  store: Store,
  act: AuditedAct & { readonly caller: Caller; readonly requestId: string },
  work: () => Promise<Result>,
): Promise<Result> {
  const { caller, requestId, action, fleetId = caller.fleetId, machineId = null, digest = null } = act
  const decision = authorise(caller, action, { fleetId })
  const code = decision.allowed ? null : decision.code
  const intent: AuditRow = {
    id: newId('aud_'),
    kind: 'intent',
    fleetId: caller.fleetId,
    intentId: null,
    at: new Date().toISOString(),
    principalId: caller.principalId,
    action,
    machineId,
    callId: null,
    digest,
    decision: decision.allowed ? 'allow' : 'deny',
    code,
    exitCode: null,
    durationMs: null,
    requestId,
  }
  await store.audit.append(intent)
  if (!decision.allowed) throw new CmdopError(decision.code, decision.reason)
  const startedAt = performance.now()
  const outcome = (failure: string | null): AuditRow => ({
    ...intent,
    id: newId('aud_'),
    kind: 'outcome',
    intentId: intent.id,
    at: new Date().toISOString(),
    code: failure,
    durationMs: Math.round(performance.now() - startedAt),
  })
  try {
    const result = await work()
    await store.audit.append(outcome(null))
    return result
  } catch (cause) {
    await store.audit.append(outcome(toCmdopError(cause, 'server', 'The relay met a fault of its own.').code))
    throw cause
  }
}
