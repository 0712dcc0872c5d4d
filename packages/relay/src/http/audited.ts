import { CmdopError } from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import type { AuditTrail, Note } from '../audit/audit-trail.ts'
import { actorOf } from '../audit/entry.ts'
import { authenticate, type Caller } from '../auth/authenticate.ts'
import { type Action, authorise } from '../auth/authorise.ts'
import type { Store } from '../store/store.ts'
import { bearerOf } from './guard.ts'

/** What a request does, as the audit log has it. */
export interface AuditedAct {
  readonly action: Action
  /** The fleet acted in; the caller's own unless named. */
  readonly fleetId?: string
  readonly machineId?: string
  readonly sessionId?: string
  readonly runId?: string
  readonly callId?: string
  readonly approvalId?: string
  /** What else is acted on: `key:<id>`, `member:<id>`, `approval:<id>`. */
  readonly subject?: string
  /** SHA-256 of what is done, hex. */
  readonly digest?: string
}

/**
 * Authorises what a request does, and does it between an intent and an outcome in the audit log; a refusal is a row too.
 * Nothing is done when the intent cannot be written. Throws what is answered.
 */
export async function audited<Result>(
  { store, audit }: { readonly store: Store; readonly audit: AuditTrail },
  request: FastifyRequest,
  act: AuditedAct,
  work: (caller: Caller, note: Note) => Promise<Result>,
): Promise<Result> {
  const caller = await authenticate(store, bearerOf(request.headers))
  const { fleetId = caller.fleetId, ...what } = act
  const entry = { ...actorOf(caller), ...what, requestId: request.id }
  const decision = authorise(caller, act.action, { fleetId })
  if (!decision.allowed) {
    await audit.deny({ ...entry, code: decision.code })
    throw new CmdopError(decision.code, decision.reason)
  }
  return audit.around(entry, (note) => work(caller, note))
}
