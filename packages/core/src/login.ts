import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Cancellable } from './cancellable.ts'
import type { LoginSession, LoginSessionList, SignInCode, SignedIn, TotpSetup } from './resources.ts'
import { itemsOf, onePage } from './pages.ts'
import { type FromWire, toWire } from './wire-names.ts'
import type { RestClient } from './rest-client.ts'

/** `client.login`: how people sign in. What gives a session needs no key; its `token` is used like one. */
export class LoginNamespace {
  readonly #rest: RestClient

  constructor(rest: RestClient) {
    this.#rest = rest
  }

  /** Has a code sent by mail. The answer is the same for an email that nobody has; `mail` false: the relay sends none. */
  requestCode(
    email: string,
    { signal, fleet }: Cancellable & { fleet?: string | undefined } = {},
  ): Promise<{ mail: boolean }> {
    return this.#rest.call({
      method: 'POST',
      path: '/api/login/code',
      body: { email, ...(fleet === undefined ? {} : { fleet }) },
      answer: wire.LoginCodeRequested,
      signal,
      plane: 'anonymous',
    })
  }

  /** Signs in. Throws `auth`, with `details.totp` `required` when the code is right and the authenticator's is missing. */
  signIn(shown: FromWire<wire.LoginRequest>, { signal }: Cancellable = {}): Promise<SignedIn> {
    const path = '/api/login'
    return this.#rest.call({
      method: 'POST',
      path,
      body: toWire(wire.LoginRequest, shown),
      answer: wire.SignedIn,
      signal,
      plane: 'anonymous',
    })
  }

  /** Becomes a member by the token of an invitation, and is signed in. */
  accept(invitation: FromWire<wire.InvitationAccept>, { signal }: Cancellable = {}): Promise<SignedIn> {
    const path = '/api/invitations/accept'
    return this.#rest.call({
      method: 'POST',
      path,
      body: toWire(wire.InvitationAccept, invitation),
      answer: wire.SignedIn,
      signal,
      plane: 'anonymous',
    })
  }

  /** A code to sign in elsewhere, such as on a phone; shown only here. */
  ownCode({ signal }: Cancellable = {}): Promise<SignInCode> {
    return this.#rest.call({ method: 'POST', path: '/api/login/own-code', answer: wire.SignInCode, signal })
  }

  /** Where you are signed in. */
  sessions({ signal }: Cancellable = {}): Promise<LoginSessionList> {
    return this.#rest.call({ method: 'GET', path: '/api/login/sessions', answer: wire.LoginSessionList, signal })
  }

  /** Each of them. */
  iterSessions(options: Cancellable = {}): AsyncGenerator<LoginSession> {
    return itemsOf(this.pagesSessions(options), ({ id }) => id, options)
  }

  /** Every page: all are on one. */
  pagesSessions(options: Cancellable = {}): AsyncGenerator<LoginSessionList> {
    return onePage(() => this.sessions(options))
  }

  /** Ends a session of yours at once. */
  async revoke(sessionId: string, { signal }: Cancellable = {}): Promise<void> {
    const path = `/api/login/sessions/${encodeURIComponent(sessionId)}`
    await this.#rest.call({ method: 'DELETE', path, answer: z.null(), signal })
  }

  /** A secret for an authenticator; {@link confirmTotp} puts it in force. */
  setUpTotp({ signal }: Cancellable = {}): Promise<TotpSetup> {
    return this.#rest.call({ method: 'POST', path: '/api/totp', answer: wire.TotpSetup, signal })
  }

  async confirmTotp(code: string, { signal }: Cancellable = {}): Promise<void> {
    await this.#rest.call({ method: 'POST', path: '/api/totp/confirm', body: { code }, answer: z.null(), signal })
  }

  async removeTotp(code: string, { signal }: Cancellable = {}): Promise<void> {
    await this.#rest.call({ method: 'POST', path: '/api/totp/remove', body: { code }, answer: z.null(), signal })
  }
}
