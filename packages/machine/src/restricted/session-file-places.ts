import { CmdopError, type EffectSummary, type Permit } from '@cmdop/protocol'
import type { SessionTable } from '../sessions/session-table.ts'
import type { FilePlace, FilePlaces } from './file-places.ts'
import { assertHolds } from './held-restrictions.ts'
import type { OwnTransaction } from './own-transaction.ts'
import type { Restricted } from './restricted.ts'
import type { SessionPlace } from './session-place.ts'

/** The places of the sessions of this machine. */
export function createFilePlaces(restricted: Restricted, sessions: Pick<SessionTable, 'place'>): FilePlaces {
  return {
    enter: async ({ sessionId, permit, callId }, use) => {
      const place = sessions.place(sessionId, permit)
      assertHolds(place?.restrictions, permit)
      if (place === undefined) return { result: await use({ kind: 'real' }), effect: undefined }
      if (place.isPerCommand) return useAlone(await begin(restricted, place, { permit, callId }), use)
      const sandbox = await place.enter()
      const spawn = sandbox.spawn.bind(sandbox)
      return { result: await use({ kind: 'sandbox', id: sandbox.id, lasting: true, spawn }), effect: undefined }
    },
  }
}

function begin(
  restricted: Restricted,
  { restrictions, cwd, shared }: SessionPlace,
  { permit, callId }: { permit: Permit; callId: string },
): Promise<OwnTransaction> {
  const { principalId, principalKind, principalName: name, action } = permit
  const createdBy = { principalId, principalKind, name }
  return restricted.begin({ effectId: callId, kind: 'file', title: action, restrictions, createdBy }, { cwd, shared })
}

async function useAlone<Result>(
  transaction: OwnTransaction,
  use: (place: FilePlace) => Promise<Result>,
): Promise<{ result: Result; effect: EffectSummary | undefined }> {
  const { sandbox } = transaction
  const result = await use({
    kind: 'sandbox',
    id: sandbox.id,
    lasting: false,
    spawn: (request) => sandbox.spawn(request),
  }).catch(async (error: unknown) => {
    await transaction.discard()
    throw error
  })
  const effect = await transaction.settle()
  if (effect?.refusal === undefined) return { result, effect }
  const { effectId, hash, refusal } = effect
  const { code, message, paths, pathCount } = refusal
  throw new CmdopError(code, message, { details: { paths, pathCount, effectId, hash } })
}
