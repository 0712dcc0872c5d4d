import { CmdopError } from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import { authenticate, type Caller, type OwnerOf } from '../auth/authenticate.ts'
import { type Action, authorise } from '../auth/authorise.ts'
import type { Store } from '../store/store.ts'

const BEARER = /^Bearer ([!-~]{1,256})$/i

/** The bearer key of a request. */
export function bearerOf(headers: { authorization?: string | undefined }): string | undefined {
  return headers.authorization === undefined ? undefined : BEARER.exec(headers.authorization)?.[1]
}

/** The caller of a request, who must be allowed to do this in the fleet (its own unless named). Throws what is answered. */
export async function guard(store: Store, request: FastifyRequest, action: Action, fleetId?: string): Promise<Caller> {
  return permitted(await authenticate(store, bearerOf(request.headers)), action, fleetId)
}

/** {@link guard} for a route that scripts call all the time; `ownerOf` remembers whose key it is. */
export async function guardOften(
  { store, ownerOf }: { store: Store; ownerOf: OwnerOf },
  request: FastifyRequest,
  action: Action,
): Promise<Caller> {
  return permitted(await authenticate(store, bearerOf(request.headers), ownerOf), action)
}

function permitted(caller: Caller, action: Action, fleetId?: string): Caller {
  const decision = authorise(caller, action, { fleetId: fleetId ?? caller.fleetId })
  if (!decision.allowed) throw new CmdopError(decision.code, decision.reason)
  return caller
}
