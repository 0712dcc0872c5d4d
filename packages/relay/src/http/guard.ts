import { CmdopError, isCmdopError } from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { actorOf, type AuditEntry } from '../audit/entry.ts'
import { type Approach, authenticate, type Caller, callerIn } from '../auth/authenticate.ts'
import { type Action, authorise, type Target } from '../auth/authorise.ts'
import type { OwnerOf } from '../auth/owner.ts'
import type { Store } from '../store/store.ts'
import type { HttpContext } from './context.ts'

const BEARER = /^Bearer ([!-~]{1,256})$/i

/** The bearer key of a request. */
export function bearerOf(headers: { authorization?: string | undefined }): string | undefined {
  return headers.authorization === undefined ? undefined : BEARER.exec(headers.authorization)?.[1]
}

/** The caller of a request, wherever it comes from. Throws `auth`. */
export function callerOf(
  { store, audit }: GuardContext,
  request: FastifyRequest,
  approach: Approach = {},
): Promise<Caller> {
  const { headers, ip: address, id: requestId } = request
  return authenticate(store, bearerOf(headers), { address, audit, requestId, ...approach })
}

/** Where callers are looked up, and refusals are written. */
export type GuardContext = Pick<HttpContext, 'store' | 'audit'>

/**
 * The caller of a request, who must be allowed to do this in the fleet (its own unless named), or on a machine of it.
 * Throws what is answered.
 */
export async function guard(
  context: GuardContext,
  request: FastifyRequest,
  action: Action,
  target: string | Partial<Target> = {},
): Promise<Caller> {
  const wanted = typeof target === 'string' ? { fleetId: target } : target
  const caller = await callerInFleet(context, request, wanted.fleetId)
  await permitted(context, request, { caller, action, ...wanted })
  return caller
}

/** The caller of a request whose path names a fleet, as the member of that fleet, see {@link callerIn}. */
export async function callerInFleet(
  context: GuardContext,
  request: FastifyRequest,
  fleetId: string | undefined,
): Promise<Caller> {
  const caller = await callerOf(context, request)
  return fleetId === undefined ? caller : enterFleet(context, { caller, fleetId, requestId: request.id })
}

/** {@link callerIn}; that somebody has to be confirmed there is a row where he signs in. */
export async function enterFleet(
  { store, audit }: GuardContext,
  { caller, fleetId, requestId }: { readonly caller: Caller; readonly fleetId: string; readonly requestId: string },
): Promise<Caller> {
  try {
    return await callerIn(store, caller, fleetId)
  } catch (error) {
    const entry = { ...actorOf(caller), action: 'fleet.enter', subject: `fleet:${fleetId}`, requestId }
    if (isCmdopError(error) && error.code === 'permission')
      await audit.denySeldom(`${caller.key.id} ${fleetId}`, { ...entry, code: error.code })
    throw error
  }
}

/** {@link guard} for a route that scripts call all the time; `ownerOf` remembers whose key it is. */
export async function guardOften(
  { ownerOf, ...context }: GuardContext & { readonly ownerOf: OwnerOf },
  request: FastifyRequest,
  action: Action,
): Promise<Caller> {
  const caller = await callerOf(context, request, { ownerOf })
  await permitted(context, request, { caller, action, machine: 'any' })
  return caller
}

/** Throws what is answered when the caller may not do this. */
export async function permitted(
  { audit }: GuardContext,
  { id: requestId }: FastifyRequest,
  { caller, action, ...target }: { readonly caller: Caller; readonly action: Action } & Partial<Target>,
): Promise<void> {
  const machineId = typeof target.machine === 'object' ? { machineId: target.machine.id } : {}
  const entry = { ...actorOf(caller), action, requestId, ...machineId }
  await assertAllowed(audit, entry, { caller, target: { fleetId: caller.fleetId, ...target } })
}

/** {@link permitted} on a machine of the caller's fleet, whether it is in use or not. */
export async function permittedOn(
  { store, audit }: GuardContext,
  { id: requestId }: FastifyRequest,
  { caller, action, machineId }: { readonly caller: Caller; readonly action: Action; readonly machineId: string },
): Promise<void> {
  const target = await targetOf(store, machineId)
  const known = target?.fleetId === caller.fleetId ? { machineId } : {}
  await assertAllowed(audit, { ...actorOf(caller), action, requestId, ...known }, { caller, target })
}

/** {@link permittedOn} in the work of what is audited: the outcome says that it was refused. */
export async function assertInScope(store: Store, caller: Caller, action: Action, machineId: string): Promise<void> {
  // What only a scope can forbid is not looked up for who has none.
  if (caller.scopes.length === 0) return
  const decision = authorise(caller, action, await targetOf(store, machineId))
  if (!decision.allowed) throw new CmdopError(decision.code, decision.reason)
}

/**
 * {@link guard} for a list: of one machine, or of all of the fleet, for which a key that is limited to some machines is not
 * enough.
 */
export async function guardList(
  context: GuardContext,
  request: FastifyRequest,
  action: Action,
  machineId: string | undefined,
): Promise<Caller> {
  if (machineId === undefined) return guard(context, request, action)
  const caller = await guard(context, request, action, { machine: 'any' })
  if (caller.scopes.length > 0) await permittedOn(context, request, { caller, action, machineId })
  return caller
}

/** Throws what is answered when the caller may not do what the entry says. That is a row: nobody is refused without one. */
export async function assertAllowed(
  audit: AuditTrail,
  entry: AuditEntry & { readonly action: Action },
  { caller, target }: { readonly caller: Caller; readonly target: Target | undefined },
): Promise<void> {
  const decision = authorise(caller, entry.action, target)
  if (decision.allowed) return
  await audit.deny({ ...entry, code: decision.code })
  throw new CmdopError(decision.code, decision.reason)
}

async function targetOf(store: Store, machineId: string): Promise<Target | undefined> {
  const machine = await store.machines.get(machineId)
  return machine && { fleetId: machine.fleetId, machine }
}
