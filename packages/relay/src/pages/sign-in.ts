import { CmdopError } from '@cmdop/protocol'
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

/** Ways to sign in to the pages. Each gives the key that the session stands for, and throws `auth` or `permission`. */
export interface PageSignIn {
  readonly withKey: (key: string, place: SignInPlace) => Promise<{ keyId: string }>
  /** Absent where nobody signs in with codes. */
  readonly withCode?: (shown: ShownCode, place: SignInPlace) => Promise<{ keyId: string }>
}

/** Signs in with keys of people. */
export function createPageSignIn(store: Store): PageSignIn {
  return {
    withKey: async (key, { ip }) => {
      const caller = await authenticate(store, key, { address: ip ?? undefined })
      if (caller.kind === 'human') return { keyId: caller.key.id }
      throw new CmdopError('permission', `Only people sign in here; this is a key of kind ${caller.kind}.`)
    },
  }
}
