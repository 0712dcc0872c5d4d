import { newId } from '../auth/secrets.ts'
import type { PrincipalRow, Store } from '../store/store.ts'

/** What a person does about signing in. Everybody may do it for himself, so no action of the matrix is asked for. */
export type OwnAct = 'login' | 'login.code' | 'login.revoke' | 'invitation.accept' | 'totp.set-up' | 'totp.remove'

/** An audit row of what a person does for himself, written before it counts. `code`: why it was refused. */
export async function record(
  store: Store,
  { id: principalId, fleetId }: Pick<PrincipalRow, 'id' | 'fleetId'>,
  { action, requestId, code = null }: { action: OwnAct; requestId: string; code?: string | null },
): Promise<void> {
  await store.audit.append({
    id: newId('aud_'),
    kind: 'intent',
    fleetId,
    intentId: null,
    at: new Date().toISOString(),
    principalId,
    action,
    machineId: null,
    callId: null,
    digest: null,
    decision: code === null ? 'allow' : 'deny',
    code,
    exitCode: null,
    durationMs: null,
    requestId,
  })
}
