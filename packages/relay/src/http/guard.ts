import { CmdopError } from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import { type Approach, authenticate, type Caller } from '../auth/authenticate.ts'
import { type Action, authorise, type Target } from '../auth/authorise.ts'
import type { OwnerOf } from '../auth/owner.ts'
import type { Store } from '../store/store.ts'

const BEARER = /^Bearer ([!-~]{1,256})$/i

/** The bearer key of a request. */
export function bearerOf(headers: { authorization?: string | undefined }): string | undefined {
  return headers.authorization === undefined ? undefined : BEARER.exec(headers.authorization)?.[1]
}

/** The caller of a request, wherever it comes from. Throws `auth`. */
export function callerOf(store: Store, request: FastifyRequest, approach: Approach = {}): Promise<Caller> {
  return authenticate(store, bearerOf(request.headers), { address: request.ip, ...approach })
}

/**
 * The caller of a request, who must be allowed to do this in the fleet (its own unless named), or on a machine of it.
 * Throws what is answered.
 */
export async function guard(
  store: Store,
  request: FastifyRequest,
  action: Action,
  target: string | Partial<Target> = {},
): Promise<Caller> {
  return permitted(await callerOf(store, request), action, typeof target === 'string' ? { fleetId: target } : target)
}

/** {@link guard} for a route that scripts call all the time; `ownerOf` remembers whose key it is. */
export async function guardOften(
  { store, ownerOf }: { store: Store; ownerOf: OwnerOf },
  request: FastifyRequest,
  action: Action,
): Promise<Caller> {
  return permitted(await callerOf(store, request, { ownerOf }), action, { machine: 'any' })
}

/** Gives the caller back when it is allowed to do this. Throws what is answered. */
export function permitted(caller: Caller, action: Action, target: Partial<Target> = {}): Caller {
  const decision = authorise(caller, action, { fleetId: caller.fleetId, ...target })
  if (!decision.allowed) throw new CmdopError(decision.code, decision.reason)
  return caller
}

/** {@link permitted} on a machine of the caller's fleet, whether it is in use or not. */
export async function permittedOn(store: Store, caller: Caller, action: Action, machineId: string): Promise<void> {
  const machine = await store.machines.get(machineId)
  if (machine?.fleetId !== caller.fleetId) throw new CmdopError('not_found', 'There is no such machine in your fleet.')
  permitted(caller, action, { machine })
}

/**
 * {@link guard} for a list: of one machine, or of all of the fleet, for which a key that is limited to some machines is not
 * enough.
 */
export async function guardList(
  store: Store,
  request: FastifyRequest,
  action: Action,
  machineId: string | undefined,
): Promise<Caller> {
  if (machineId === undefined) return guard(store, request, action)
  const caller = await guard(store, request, action, { machine: 'any' })
  if (caller.scopes.length > 0) await permittedOn(store, caller, action, machineId)
  return caller
}
