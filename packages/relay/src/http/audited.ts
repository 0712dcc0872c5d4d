import { hash } from 'node:crypto'
import { canonicalJson, CmdopError } from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import type { AuditTrail, Note } from '../audit/audit-trail.ts'
import { actorOf } from '../audit/entry.ts'
import type { Caller } from '../auth/authenticate.ts'
import type { Action, Target } from '../auth/authorise.ts'
import type { Store } from '../store/store.ts'
import { assertAllowed, callerInFleet } from './guard.ts'

/** What a request does, as the audit log has it. */
export interface AuditedAct {
  readonly action: Action
  /** The fleet acted in; the caller's own unless named. */
  readonly fleetId?: string
  readonly machineId?: string
  /** Also on one that is disabled. */
  readonly evenDisabled?: true
  /** On a machine that only the work knows, which looks at it itself. */
  readonly anyMachine?: true
  readonly sessionId?: string
  readonly runId?: string
  readonly callId?: string
  readonly approvalId?: string
  /** What else is acted on: `key:<id>`, `member:<id>`, `approval:<id>`. */
  readonly subject?: string
  /** SHA-256 of what is done, hex. */
  readonly digest?: string
}

/** The digest of what was given, for a row: SHA-256 of its canonical JSON, hex. Never of what holds a secret, a PIN or a code. */
export function digestOf(given: unknown): string {
  try {
    return hash('sha256', canonicalJson(given))
  } catch (cause) {
    throw new CmdopError('validation', 'The request is not valid: it is nested too deeply.', { cause })
  }
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
  const caller = await callerInFleet({ store, audit }, request, act.fleetId)
  return await auditedAs({ store, audit }, { ...act, caller, requestId: request.id }, (note) => work(caller, note))
}

/** {@link audited} for a caller who is known by other means than a bearer key. */
export async function auditedAs<Result>(
  { store, audit }: { readonly store: Store; readonly audit: AuditTrail },
  { caller, ...act }: AuditedAct & { readonly caller: Caller; readonly requestId: string },
  work: (note: Note) => Promise<Result>,
): Promise<Result> {
  const { fleetId = caller.fleetId, machineId, anyMachine, evenDisabled, ...what } = act
  const target =
    machineId === undefined ? fleetTarget(fleetId, anyMachine) : await machineTarget(store, machineId, evenDisabled)
  // What is of another fleet, or of none, is not named.
  const known = target?.fleetId === caller.fleetId ? machineId : undefined
  const entry = { ...actorOf(caller), ...what, ...(known === undefined ? {} : { machineId: known }) }
  await assertAllowed(audit, entry, { caller, target })
  return audit.around(entry, work)
}

/** A machine as the one that is acted on; undefined when there is none. */
export async function machineTarget(
  store: Store,
  machineId: string,
  evenDisabled = false,
): Promise<Target | undefined> {
  const machine = await store.machines.get(machineId)
  const isThere = machine !== undefined && (evenDisabled || machine.disabledAt === null)
  return isThere ? { fleetId: machine.fleetId, machine } : undefined
}

function fleetTarget(fleetId: string, anyMachine: true | undefined): Target {
  return anyMachine === true ? { fleetId, machine: 'any' } : { fleetId }
}
