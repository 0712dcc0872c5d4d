import { CmdopError } from '@cmdop/protocol'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { actorOf } from '../audit/entry.ts'
import { authenticate } from '../auth/authenticate.ts'
import type { Store } from '../store/store.ts'

/** What somebody shows who signs in with a code. */
export interface ShownCode {
  readonly email: string
  readonly code: string
  readonly totp?: string | undefined
}

/** Where somebody signs in from. */
export interface SignInPlace {
  readonly ip: string | null
  readonly userAgent: string | null
  readonly requestId: string
}

/** Opens the session of a page, which stands for a key; the cookie to set. */
export type OpenPage = (keyId: string) => Promise<string>

/** Ways to sign in to the pages. Each gives the cookie of the session, and throws `auth` or `permission`. */
export interface PageSignIn {
  readonly withKey: (key: string, place: SignInPlace, open: OpenPage) => Promise<string>
  /** Absent where nobody signs in with codes. */
  readonly withCode?: (shown: ShownCode, place: SignInPlace, open: OpenPage) => Promise<string>
}

/** Signs in with keys of people. Each time has audit rows before and after it. */
export function createPageSignIn({ store, audit }: { store: Store; audit: AuditTrail }): PageSignIn {
  return {
    withKey: async (key, { ip, requestId }, open) => {
      const caller = await authenticate(store, key, { address: ip ?? undefined, audit, requestId })
      const entry = { ...actorOf(caller), action: 'login', subject: 'page', requestId }
      if (caller.kind === 'human') return audit.around(entry, () => open(caller.key.id))
      await audit.deny({ ...entry, code: 'permission' })
      throw new CmdopError('permission', `Only people sign in here; this is a key of kind ${caller.kind}.`)
    },
  }
}
