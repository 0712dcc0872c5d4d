import { randomBytes } from 'node:crypto'
import { CmdopError } from '@cmdop/protocol'
import { authenticateKey, type Caller } from '../auth/authenticate.ts'
import { hashSecret, matchesHash } from '../auth/secrets.ts'
import type { Store } from '../store/store.ts'

/** Seconds that somebody is signed in to the pages. */
const SESSION_SECONDS = 900

/** Who is signed in, and who is about to be: the second is there before anybody is known, so that a sign-in is not forged either. */
const SESSION_COOKIE = 'cmdop_page'
const VISITOR_COOKIE = 'cmdop_visitor'

/** A request, as far as its sender is concerned. */
export interface PageRequest {
  readonly ip: string
  readonly headers: { readonly cookie?: string | undefined }
}

/** Who looks at a page. */
export interface Visitor {
  /** Undefined before it has signed in. */
  readonly caller: Caller | undefined
  /** What the forms of the page send back. */
  readonly csrf: string
  /** To be set with the page, if any. */
  readonly cookie: string | undefined
}

/**
 * Sessions of browsers. A session stands for a key: with the key it ends at once. Its secret is only in the browser, the store has a
 * hash. The token of a form comes from the secret, so nobody knows it who does not have the cookie.
 */
export class PageSessions {
  readonly #store: Store
  readonly #isSecure: () => boolean

  constructor(store: Store, isSecure: () => boolean) {
    this.#store = store
    this.#isSecure = isSecure
  }

  /** Who looks. Whose session or key is over has not signed in. */
  async visitor(request: PageRequest): Promise<Visitor> {
    const secret = cookieOf(request, SESSION_COOKIE)
    const caller = secret === undefined ? undefined : await this.#caller(secret, request.ip)
    if (secret !== undefined && caller !== undefined) return { caller, csrf: csrfOf(secret), cookie: undefined }
    const known = cookieOf(request, VISITOR_COOKIE)
    const visitor = known ?? newSecret()
    const cookie = known === undefined ? this.#cookie(VISITOR_COOKIE, visitor, SESSION_SECONDS) : undefined
    return { caller: undefined, csrf: csrfOf(visitor), cookie }
  }

  /** Throws `permission` for a form that did not come from a page of this visitor. */
  assertForm(request: PageRequest, csrf: string, isSignedIn: boolean): void {
    const secret = cookieOf(request, isSignedIn ? SESSION_COOKIE : VISITOR_COOKIE)
    if (secret !== undefined && matchesHash(csrfInput(secret), csrf)) return
    throw new CmdopError(
      'permission',
      'The form is not of this page, or too old; nothing was decided. Open the link again.',
    )
  }

  /** Signs in who has shown this key; the cookie to set. */
  async open(keyId: string): Promise<string> {
    const secret = newSecret()
    const now = Date.now()
    const expiresAt = new Date(now + SESSION_SECONDS * 1000).toISOString()
    await this.#store.pageSessions.create(
      { secretHash: hashSecret(secret), keyId, expiresAt },
      new Date(now).toISOString(),
    )
    return this.#cookie(SESSION_COOKIE, secret, SESSION_SECONDS)
  }

  /** Signs out; the cookie to set. */
  async close(request: PageRequest): Promise<string> {
    const secret = cookieOf(request, SESSION_COOKIE)
    if (secret !== undefined) await this.#store.pageSessions.remove(hashSecret(secret))
    return this.#cookie(SESSION_COOKIE, '', 0)
  }

  async #caller(secret: string, address: string): Promise<Caller | undefined> {
    const session = await this.#store.pageSessions.get(hashSecret(secret), new Date().toISOString())
    if (session === undefined) return undefined
    try {
      return await authenticateKey(this.#store, session.keyId, { address })
    } catch (error) {
      if (error instanceof CmdopError && error.code === 'auth') return undefined
      throw error
    }
  }

  #cookie(name: string, value: string, seconds: number): string {
    const secure = this.#isSecure() ? '; Secure' : ''
    return `${name}=${value}; Path=/approvals; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`
  }
}

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

function csrfOf(secret: string): string {
  return hashSecret(csrfInput(secret))
}

function csrfInput(secret: string): string {
  return `form:${secret}`
}

function cookieOf({ headers }: PageRequest, name: string): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim())
  const found = pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1)
  return found !== undefined && /^[\w-]{43}$/.test(found) ? found : undefined
}
