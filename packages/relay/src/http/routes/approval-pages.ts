import rateLimit from '@fastify/rate-limit'
import { CmdopError, isCmdopError, Sha256 } from '@cmdop/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { readView } from '../../approvals/approval-view.ts'
import { actorOf } from '../../audit/entry.ts'
import type { Caller } from '../../auth/authenticate.ts'
import { authorise } from '../../auth/authorise.ts'
import { approvalPage, problemPage } from '../../pages/approval-page.ts'
import { pageHeaders } from '../../pages/layout.ts'
import { PageSessions } from '../../pages/page-sessions.ts'
import { signInPage } from '../../pages/sign-in-page.ts'
import { noSuchApproval } from '../../approvals/refusals.ts'
import { auditedAs } from '../audited.ts'
import type { HttpContext } from '../context.ts'
import { permitted } from '../guard.ts'

const Params = z.object({ approval: z.string().regex(/^[\w-]{1,64}$/) })
const Form = z.object({ csrf: z.string().max(64) })
const SignInForm = z.union([
  Form.extend({ key: z.string().min(1).max(256) }),
  Form.extend({ email: z.string().max(320), code: z.string().max(32), totp: z.string().max(16).default('') }),
])
const ApproveForm = Form.extend({ plan_digest: Sha256, reason: z.string().max(4096).default('') })
const DenyForm = Form.extend({ reason: z.string().max(4096).default(''), retry: z.literal('yes').optional() })
const schema = { hide: true, security: [] }

/** What the page works with. */
type PageContext = Pick<HttpContext, 'store' | 'audit' | 'approvals' | 'publicUrl' | 'pageSignIn' | 'signInsPerMinute'>

/** The page where a person looks at an approval and decides. Opening it decides nothing, and shows nothing before a sign-in. */
export function approvalPageRoutes(context: PageContext): FastifyPluginAsyncZod {
  const { store, approvals, publicUrl, pageSignIn } = context
  const sessions = new PageSessions(store, () => publicUrl().startsWith('https:'))
  return async (app) => {
    preparePages(app)

    app.get('/approvals/:approval', { schema: { ...schema, params: Params } }, async (request, reply) => {
      const { approval: approvalId } = request.params
      const { caller, csrf, cookie } = await sessions.visitor(request)
      if (cookie !== undefined) reply.header('set-cookie', cookie)
      if (caller === undefined) return reply.send(signInPage({ approvalId, csrf, withCode: isWithCode() }))
      await permitted(context, request, { caller, action: 'approval.read' })
      const found = await readView(store, approvalId)
      if (found?.outline.row.fleetId !== caller.fleetId) throw noSuchApproval()
      const { row } = found.outline
      const behalf = row.personId === row.requesterId ? undefined : await store.principals.get(row.personId)
      const deciding = authorise(caller, 'approval.decide', { fleetId: caller.fleetId })
      return reply.send(
        approvalPage({
          info: found.info,
          viewer: `${caller.principal.name} (${caller.role})`,
          behalf: behalf?.name ?? (row.personId === row.requesterId ? undefined : row.personId),
          csrf,
          refusal: deciding.allowed ? undefined : deciding.reason,
          now: Date.now(),
        }),
      )
    })

    app.post(
      '/approvals/:approval/approve',
      { schema: { ...schema, params: Params, body: ApproveForm } },
      async (request, reply) => {
        const { csrf, plan_digest: planDigest, reason } = request.body
        const caller = await sender(request, csrf)
        const what = { approvalId: request.params.approval, subject: 'vote:approve', digest: planDigest }
        const act = { action: 'approval.decide', ...what, caller, requestId: request.id } as const
        await auditedAs(context, act, () =>
          approvals.desk.approve(caller, request.params.approval, { planDigest, reason }),
        )
        return back(reply, request.params.approval)
      },
    )

    app.post(
      '/approvals/:approval/deny',
      { schema: { ...schema, params: Params, body: DenyForm } },
      async (request, reply) => {
        const { csrf, reason, retry } = request.body
        const caller = await sender(request, csrf)
        const what = { approvalId: request.params.approval, subject: 'vote:deny' }
        const act = { action: 'approval.decide', ...what, caller, requestId: request.id } as const
        const answer = { reason, doNotRetry: retry === undefined }
        await auditedAs(context, act, () => approvals.desk.deny(caller, request.params.approval, answer))
        return back(reply, request.params.approval)
      },
    )

    app.post(
      '/approvals/:approval/sign-out',
      { schema: { ...schema, params: Params, body: Form } },
      async (request, reply) => {
        const caller = await sender(request, request.body.csrf)
        const entry = { ...actorOf(caller), action: 'login.revoke', subject: 'page', requestId: request.id }
        const cookie = await context.audit.around(entry, () => sessions.close(request))
        return back(reply.header('set-cookie', cookie), request.params.approval)
      },
    )

    await app.register(signInRoute)
  }

  /** What is tried here is limited for each address. */
  async function signInRoute(app: Parameters<FastifyPluginAsyncZod>[0]): Promise<void> {
    await app.register(rateLimit, {
      max: context.signInsPerMinute,
      timeWindow: 60_000,
      errorResponseBuilder: (_request: FastifyRequest, { ttl }: { ttl: number }) =>
        new CmdopError('rate_limit', `Too many tries; wait ${Math.ceil(ttl / 1000)} s.`),
    })
    app.post(
      '/approvals/:approval/sign-in',
      { schema: { ...schema, params: Params, body: SignInForm } },
      async (request, reply) => {
        const { approval: approvalId } = request.params
        sessions.assertForm(request, request.body.csrf, false)
        try {
          return back(reply.header('set-cookie', await signIn(request, request.body)), approvalId)
        } catch (error) {
          if (!isCmdopError(error) || (error.code !== 'auth' && error.code !== 'permission')) throw error
          const { csrf } = request.body
          const form = signInPage({ approvalId, csrf, withCode: isWithCode(), problem: error.message })
          return reply.status(error.status).send(form)
        }
      },
    )
  }

  async function signIn(request: FastifyRequest, shown: z.output<typeof SignInForm>): Promise<string> {
    const open = (keyId: string) => sessions.open(keyId)
    const place = { ip: request.ip, userAgent: request.headers['user-agent'] ?? null, requestId: request.id }
    if ('key' in shown) return await pageSignIn.withKey(shown.key.trim(), place, open)
    const { email, code, totp } = shown
    if (pageSignIn.withCode === undefined) throw new CmdopError('auth', 'Nobody signs in with codes here.')
    return await pageSignIn.withCode({ email, code, ...(totp === '' ? {} : { totp }) }, place, open)
  }

  /** Who has sent a form of a page that was shown to it. Throws `auth`, `permission`. */
  async function sender(request: FastifyRequest, csrf: string): Promise<Caller> {
    const { caller } = await sessions.visitor(request)
    if (caller === undefined) throw new CmdopError('auth', 'You are not signed in any more; nothing was decided.')
    sessions.assertForm(request, csrf, true)
    return caller
  }

  function isWithCode(): boolean {
    return pageSignIn.withCode !== undefined
  }
}

function back(reply: FastifyReply, approvalId: string): FastifyReply {
  return reply.redirect(`/approvals/${approvalId}`, 303)
}

/** Forms in, pages out, errors as pages; nothing that another site sends. */
function preparePages(app: FastifyInstance): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(pageHeaders)
    if (request.method === 'POST' && isForeign(request))
      throw new CmdopError('permission', 'The form was sent by another site; nothing was decided.')
  })
  app.setErrorHandler((error: unknown, request, reply) => {
    const known = isCmdopError(error) ? error : undefined
    const status = known?.status ?? statusOf(error)
    if (status >= 500) request.log.error({ err: error }, 'a page failed')
    const text = known?.message ?? (status >= 500 ? 'The relay met a fault of its own.' : 'The form is not complete.')
    const approvalId = Params.safeParse(request.params).data?.approval
    return reply.status(status).headers(pageHeaders).send(problemPage(text, approvalId))
  })
}

/** Pages send no referrer, for which browsers say `Origin: null` with a form; then they say what we need in Sec-Fetch-Site. */
function isForeign({ headers, host }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin'
  const { origin } = headers
  return origin !== undefined && origin !== 'null' && URL.parse(origin)?.host !== host
}

function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : 500
  return status === 400 ? 422 : status
}
