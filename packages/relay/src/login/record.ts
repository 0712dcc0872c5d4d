import type { AuditTrail } from '../audit/audit-trail.ts'
import type { PrincipalRow } from '../store/store.ts'

/** What a person does about signing in. Everybody may do it for himself, so no action of the matrix is asked for. */
export type OwnAct =
  | 'login'
  | 'login.code'
  | 'login.list'
  | 'login.revoke'
  | 'invitation.accept'
  | 'totp.set-up'
  | 'totp.remove'

/** Audit rows of what a person does for himself, written before it counts. `code`: why it was refused. */
export async function record(
  audit: AuditTrail,
  {
    id: principalId,
    fleetId,
    kind: principalKind,
    name: principalName,
  }: Pick<PrincipalRow, 'id' | 'fleetId' | 'kind' | 'name'>,
  { action, requestId, code }: { action: OwnAct; requestId: string; code?: string },
): Promise<void> {
  const entry = { fleetId, principalId, principalKind, principalName, action, requestId }
  await (code === undefined ? audit.note(entry) : audit.deny({ ...entry, code }))
}
