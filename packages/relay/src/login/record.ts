import type { AuditEntry } from '../audit/entry.ts'
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

/** What every row of the audit log says of somebody who has no key yet. */
export function personActs(
  { id: principalId, fleetId, kind: principalKind, name: principalName }: PrincipalRow,
  act: { readonly action: OwnAct; readonly requestId: string; readonly subject?: string },
): AuditEntry {
  return { fleetId, principalId, principalKind, principalName, ...act }
}
