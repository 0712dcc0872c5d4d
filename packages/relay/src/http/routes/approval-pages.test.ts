import { CmdopError } from '@cmdop/protocol'
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { AuditTrail } from '../../audit/audit-trail.ts'
import { GoingFleetRuns } from '../../fleet-runs/going-fleet-runs.ts'
import { createApprovals } from '../../approvals/create-approvals.ts'
import { bootstrapFleet, proposeRelayKey } from '../../bootstrap.ts'
import { createMemoryBus } from '../../bus/memory-bus.ts'
import { createPageSignIn, type PageSignIn } from '../../pages/sign-in.ts'
import { PermitSigner } from '../../permits.ts'
import { openTemporaryStore } from '../../store/sqlite/temporary-store.ts'
import { approvalPageRoutes } from './approval-pages.ts'

/** The pages alone, where members sign in with codes: the code of the one member is `ABCD-EFGH`. */
async function startPages() {
  const opened = new AsyncDisposableStack()
  const { store } = opened.use(await openTemporaryStore())
  const bus = opened.use(createMemoryBus())
  const unused = () => {
    throw new Error('Nothing is asked here.')
  }
  const signer = new PermitSigner(proposeRelayKey())
  const log = pino({ level: 'silent' })
  const audit = new AuditTrail({ store: store.audit, name: 'main', relayInstance: 'run_test' })
  const keyId = (await bootstrapFleet(store, audit))?.split('_')[2] ?? ''
  const fleetRuns = opened.use(new GoingFleetRuns({ store, bus }))
  const given = { store, audit, bus, signer, log, judge: unused, asks: unused, fleetRuns }
  const approvals = opened.use(createApprovals(given))
  const shown: unknown[] = []
  const withCode: PageSignIn['withCode'] = async (code, place, open) => {
    shown.push([code, place])
    if (code.code === 'ABCD-EFGH') return open(keyId)
    throw new CmdopError('auth', 'The email or the code is wrong.')
  }
  const app = fastify()
  opened.defer(() => app.close())
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  const pageSignIn = { ...createPageSignIn({ store, audit }), withCode }
  const publicUrl = () => 'https://relay.example'
  await app.register(approvalPageRoutes({ store, audit, approvals, pageSignIn, publicUrl, signInsPerMinute: 100 }))
  return { app, shown, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

test('A member signs in with a code, and with that of an authenticator', async () => {
  await using pages = await startPages()
  const { app } = pages
  const first = await app.inject('/approvals/apr_1')
  expect(first.body).toContain('name="code"')
  const [cookie = ''] = String(first.headers['set-cookie']).split(';')
  const csrf = /name="csrf" value="([^"]*)"/.exec(first.body)?.[1] ?? ''
  const signIn = (form: Record<string, string>) =>
    app.inject({
      method: 'POST',
      url: '/approvals/apr_1/sign-in',
      headers: { cookie, 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'Browser' },
      payload: new URLSearchParams({ csrf, email: 'ada@example.org', ...form }).toString(),
    })
  const wrong = await signIn({ code: 'wrong', totp: '' })
  expect(wrong.statusCode).toBe(401)
  expect(wrong.body).toContain('The email or the code is wrong.')
  expect(wrong.headers['set-cookie']).toBeUndefined()
  const right = await signIn({ code: 'ABCD-EFGH', totp: '123456' })
  expect(right.statusCode).toBe(303)
  expect(pages.shown).toMatchObject([
    [
      { email: 'ada@example.org', code: 'wrong' },
      { userAgent: 'Browser', requestId: expect.any(String) },
    ],
    [{ email: 'ada@example.org', code: 'ABCD-EFGH', totp: '123456' }, { ip: '127.0.0.1' }],
  ])
  const [session = ''] = String(right.headers['set-cookie']).split(';')
  const page = await app.inject({ url: '/approvals/apr_1', headers: { cookie: session } })
  expect(page.statusCode).toBe(404)
  expect(page.body).toContain('There is no such approval in your fleet.')
})
