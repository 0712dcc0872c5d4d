import rateLimit from '@fastify/rate-limit'
import {
  CmdopError,
  InvitationAccept,
  LoginCodeRequest,
  LoginCodeRequested,
  LoginRequest,
  LoginSessionList,
  SignedIn,
  SignInCode,
  TotpCode,
  TotpSetup,
} from '@cmdop/protocol'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actorOf, systemEntry } from '../../audit/entry.ts'
import { noteControl } from '../../auth/members.ts'
import { createCode } from '../../login/codes.ts'
import { acceptInvitation, readInvitation } from '../../login/invitations.ts'
import { type OwnAct, personActs } from '../../login/record.ts'
import { openSession, signIn, type SignInPlace } from '../../login/sign-in.ts'
import { confirmTotp, proposeTotp, takeTotp } from '../../login/totp.ts'
import type { HttpContext } from '../context.ts'
import { callerOf } from '../guard.ts'

/** Sessions of one person that are looked at. */
const MAX_SESSIONS = 500

const SessionParams = z.object({ session: z.string().max(64).describe('Id of the session') })
const isOpen = { security: [] }

/** How people sign in and out. What needs no credential is limited in how often an address may try. */
export function loginRoutes(context: HttpContext): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(openRoutes(context))
    await app.register(ownRoutes(context))
  }
}

function openRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, mailer } = context
  return async (app) => {
    await app.register(rateLimit, triesOf(context))

    app.post(
      '/api/login/code',
      {
        schema: {
          summary: 'Have a sign-in code sent by mail',
          ...isOpen,
          body: LoginCodeRequest,
          response: { 202: LoginCodeRequested },
        },
      },
      async (request, reply) => {
        // Not waited for: how long it takes would tell whether anybody has this email.
        if (mailer !== undefined) sendCode(context, request.body, request)
        return reply.status(202).send({ mail: mailer !== undefined })
      },
    )

    app.post(
      '/api/login',
      { schema: { summary: 'Sign in with a code', ...isOpen, body: LoginRequest, response: { 200: SignedIn } } },
      async (request) => signIn(context, request.body, placeOf(request)),
    )

    app.post(
      '/api/invitations/accept',
      { schema: { summary: 'Accept an invitation', ...isOpen, body: InvitationAccept, response: { 201: SignedIn } } },
      async (request, reply) => {
        const { token, display_name: name } = request.body
        const invitation = await readInvitation(store, { token, name })
        const { id, member } = invitation
        const act = { action: 'invitation.accept', subject: `invitation:${id}`, requestId: request.id } as const
        const signedIn = await context.audit.around(personActs(member, act), async () => {
          await acceptInvitation(store, invitation)
          return openSession(store, member, placeOf(request))
        })
        return reply.status(201).send(signedIn)
      },
    )

    // Looking at a link uses nothing up: what is behind its # stays in the browser.
    app.get('/join', { schema: { hide: true, ...isOpen } }, async (_request, reply) =>
      reply.type('text/html; charset=utf-8').header('content-security-policy', "default-src 'none'").send(joinPage),
    )
  }
}

function ownRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, bus, audit } = context
  // Not by a key, which may be limited in what it may do, where a person is not.
  const signedIn = async (request: FastifyRequest, action: OwnAct, beforeTotp = true) => {
    const caller = await callerOf(context, request, { beforeTotp })
    const act = { ...actorOf(caller), action, requestId: request.id }
    if (caller.key.credential === 'session') return { ...caller, act }
    await audit.deny({ ...act, code: 'permission' })
    throw new CmdopError('permission', 'Expected a session, not an API key; sign in first: cmdop login.')
  }
  return async (app) => {
    // Who has taken over a session does not find out the code of an authenticator.
    await app.register(rateLimit, triesOf(context))

    app.post(
      '/api/login/own-code',
      { schema: { summary: 'A code to sign in elsewhere; it is shown once', response: { 201: SignInCode } } },
      async (request, reply) => {
        const { principal, key, act } = await signedIn(request, 'login.code', false)
        return reply.status(201).send(await audit.around(act, () => createCode(store, principal, key.lentById)))
      },
    )

    app.get(
      '/api/login/sessions',
      { schema: { summary: 'Where you are signed in', response: { 200: LoginSessionList } } },
      async (request) => {
        const { principalId, fleetId, key: current } = await signedIn(request, 'login.list')
        const filter = { principalId, credential: 'session' as const, offset: 0, limit: MAX_SESSIONS }
        const { items } = await store.keys.list(fleetId, filter)
        const now = new Date().toISOString()
        const open = items.filter(({ revokedAt, expiresAt }) => revokedAt === null && (expiresAt ?? now) > now)
        return {
          items: open.map(({ id, createdAt, lastUsedAt, expiresAt, ip, userAgent }) => ({
            id,
            created_at: createdAt,
            last_used_at: lastUsedAt,
            expires_at: expiresAt,
            ip,
            user_agent: userAgent,
            current: id === current.id,
          })),
        }
      },
    )

    app.delete(
      '/api/login/sessions/:session',
      { schema: { summary: 'End a session of yours at once', params: SessionParams, response: { 204: z.null() } } },
      async (request, reply) => {
        const { act, principalId, fleetId } = await signedIn(request, 'login.revoke')
        const { session } = request.params
        const row = await store.keys.get(session)
        if (row?.principalId !== principalId || row.credential !== 'session')
          throw new CmdopError('not_found', 'You have no such session; see: cmdop login list.')
        await audit.around({ ...act, subject: `session:${session}` }, async () => {
          await store.keys.revoke(fleetId, session, new Date().toISOString())
          await bus.publish({ type: 'key-revoked', keyId: session })
        })
        return reply.status(204).send(null)
      },
    )

    app.post(
      '/api/totp',
      { schema: { summary: 'Set up an authenticator', response: { 201: TotpSetup } } },
      async (request, reply) => {
        const { act, ...caller } = await signedIn(request, 'totp.set-up')
        const setup = await audit.around({ ...act, subject: 'totp:propose' }, async () => {
          await noteControl(store, caller, caller.principal)
          return proposeTotp(store, caller.principal)
        })
        return reply.status(201).send(setup)
      },
    )

    app.post(
      '/api/totp/confirm',
      { schema: { summary: 'Confirm it by a first code', body: TotpCode, response: { 204: z.null() } } },
      async (request, reply) => {
        const { act, ...caller } = await signedIn(request, 'totp.set-up')
        await audit.around({ ...act, subject: 'totp:confirm' }, async () => {
          await noteControl(store, caller, caller.principal)
          await confirmTotp(store, caller.principalId, request.body.code)
        })
        return reply.status(204).send(null)
      },
    )

    app.post(
      '/api/totp/remove',
      {
        schema: {
          summary: 'Remove your authenticator, with a code of it',
          body: TotpCode,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { act, ...caller } = await signedIn(request, 'totp.remove')
        const { principalId } = caller
        await audit.around(act, async () => {
          await noteControl(store, caller, caller.principal)
          await takeTotp(store, principalId, request.body.code)
          await store.totp.remove(principalId)
          await bus.publish({ type: 'principal-changed', principalId })
        })
        return reply.status(204).send(null)
      },
    )
  }
}

function triesOf({ signInsPerMinute }: HttpContext) {
  return {
    max: signInsPerMinute,
    timeWindow: 60_000,
    errorResponseBuilder: (_request: FastifyRequest, { ttl }: { ttl: number }) => {
      const retryAfter = Math.ceil(ttl / 1000)
      return new CmdopError('rate_limit', `Too many tries; wait ${retryAfter} s.`, { retryAfter })
    },
  }
}

function sendCode(
  { store, audit, mailer }: HttpContext,
  { email, fleet }: LoginCodeRequest,
  request: FastifyRequest,
): void {
  const send = async () => {
    const member = await store.principals.forSignIn(email, fleet)
    if (member?.email == null) return
    const { id, fleetId, email: address } = member
    // Anybody may ask for it: nobody has shown who he is.
    const entry = { ...systemEntry(fleetId, 'login.code', `member:${id} mail`), onBehalfOf: id, requestId: request.id }
    await audit.around(entry, async () => {
      const { code } = await createCode(store, member)
      await mailer?.send(address, code)
    })
  }
  // The error of a mail server may hold what it was sent.
  send().catch(() => request.log.warn('a sign-in code could not be sent by mail'))
}

function placeOf(request: FastifyRequest): SignInPlace {
  return { ip: request.ip, userAgent: request.headers['user-agent'] ?? null, requestId: request.id }
}

const joinPage = `<!doctype html><meta charset="utf-8"><title>CMDOP</title>
<h1>You are invited</h1>
<p>To accept, run this with the whole address of this page, in quotes:</p>
<pre>cmdop join "&lt;this address&gt;"</pre>
<p>The link works once. This page has not used it.</p>
`
