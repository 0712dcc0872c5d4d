import type { ApprovalInfo } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ relay: { signInsPerMinute: 1000 } })
})
afterAll(() => world[Symbol.asyncDispose]())

type Form = Record<string, string>

/** A browser, as far as the pages need one: it keeps cookies and fills in forms. */
class Browser {
  readonly cookies = new Map<string, string>()
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  get(path: string) {
    return this.#send(path, { method: 'GET' })
  }

  /** Sends a form as a page of the relay does. */
  post(path: string, form: Form, headers: Record<string, string> = {}) {
    const body = new URLSearchParams(form)
    return this.#send(path, { method: 'POST', body }, { origin: this.#url, ...headers })
  }

  /** Signs in with a key, the way a person does. */
  async signIn(path: string, key: string) {
    const { text } = await this.get(path)
    return await this.post(`${path}/sign-in`, { csrf: fieldOf(text, 'csrf'), key })
  }

  async #send(path: string, init: RequestInit, given: Record<string, string> = {}) {
    const cookie = Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...given, ...(cookie === '' ? {} : { cookie }) }
    const answer = await fetch(`${this.#url}${path}`, { ...init, headers, redirect: 'manual' })
    for (const each of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(each) ?? []
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
}

function fieldOf(text: string, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(text)?.[1] ?? ''
}

/** Asks people about a command, and gives the question with the path of its page. */
async function ask(command = 'echo done'): Promise<{ info: ApprovalInfo; path: string }> {
  const actions = [{ machineId: world.machine.id, method: 'exec', params: { command } }]
  const info = await world.client.approvals.request({ title: 'Say it', reason: 'because', actions })
  return { info, path: `/approvals/${info.id}` }
}

/** A browser of somebody who has signed in with a key. */
async function signedIn(path: string, key = world.relay.firstKey): Promise<{ browser: Browser; text: string }> {
  const browser = new Browser(world.relay.url)
  expect(await browser.signIn(path, key)).toMatchObject({ status: 303 })
  return { browser, text: (await browser.get(path)).text }
}

describe('the page of an approval', () => {
  test('takes many answers at once as one after the other, and a browser stays signed in over a restart', async () => {
    const { info, path } = await ask('echo many')
    const { browser, text } = await signedIn(path)
    await world.relay.restart()
    const [csrf, plan_digest] = [fieldOf(text, 'csrf'), info.planDigest]
    const names = ['approve', 'deny', 'approve', 'deny', 'approve', 'deny']
    const answers = await Promise.all(names.map((name) => browser.post(`${path}/${name}`, { csrf, plan_digest })))
    const taken = names.filter((_, index) => answers[index]?.status === 303)
    for (const { status } of answers) expect([303, 409]).toContain(status)
    // Whoever denies after an approval is heard, whoever approves after a denial is not.
    expect(await world.client.approvals.get(info.id)).toMatchObject({ state: 'denied', votes: [{ vote: 'deny' }] })
    expect(taken.filter((name) => name === 'deny')).toHaveLength(3)
    await world.whenOnline(world.machine)
  })

  test('shows nothing before a sign-in, with headers that keep others out', async () => {
    const { info, path } = await ask('echo hidden-command')
    const browser = new Browser(world.relay.url)
    const { status, text, headers } = await browser.get(path)
    expect(status).toBe(200)
    expect(text).not.toMatch(new RegExp(`hidden-command|Say it|${info.planDigest}|machine-0`))
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    // Nobody learns whether there is such an approval.
    const unknown = await browser.get('/approvals/apr_unknown')
    expect(unknown.status).toBe(200)
    expect(unknown.text.replaceAll('apr_unknown', info.id)).toBe(text)
    for (const name of ['approve', 'deny'])
      expect((await browser.post(`${path}/${name}`, { csrf: 'x', plan_digest: info.planDigest })).status).toBe(401)
    expect((await world.client.approvals.get(info.id)).state).toBe('pending')
  })

  test('shows exactly what would run, and no secret', async () => {
    const machine = await world.client.machine(world.machine.id)
    const env = { API_KEY: 'value-of-the-variable' }
    const call = machine.exec('echo "$API_KEY" > /tmp/x', { env, cwd: '/tmp', approval: { ask: true } })
    const refused = (await call.then(undefined, (error: unknown) => error)) as { details: { approvalId: string } }
    const path = `/approvals/${refused.details.approvalId}`
    const { text } = await signedIn(path)
    const info = await world.client.approvals.get(refused.details.approvalId)
    for (const shown of ['echo &quot;$API_KEY&quot; &gt; /tmp/x', 'machine-0', '/tmp', 'API_KEY', info.planDigest])
      expect(text).toContain(shown)
    expect(text).toContain(info.dangerReason)
    expect(text).not.toContain('value-of-the-variable')
    expect(text).not.toContain(world.relay.firstKey)
  })

  test('decides as the API does, as who has signed in, and writes it down', async () => {
    const { info, path } = await ask()
    const { browser, text } = await signedIn(path)
    const [csrf, digest] = [fieldOf(text, 'csrf'), fieldOf(text, 'plan_digest')]
    expect(digest).toBe(info.planDigest)
    const answer = await browser.post(`${path}/approve`, { csrf, plan_digest: digest, reason: 'looks right' })
    expect(answer).toMatchObject({ status: 303 })
    expect(answer.headers.get('location')).toBe(path)
    const byPage = await world.client.approvals.get(info.id)
    const other = await ask()
    const byApi = await world.client.approvals.approve(other.info.id, { planDigest: digest, reason: 'looks right' })
    const told = ({ state, votes }: ApprovalInfo) => [state, votes.map(({ at: _at, ...vote }) => vote)]
    expect(told(byPage)).toEqual(told(byApi))
    expect((await browser.get(path)).text).toContain('approved')
    const store = await world.openStore()
    const audit = await store.audit.list(info.fleetId, { limit: 500 })
    const rows = audit.filter(({ row }) => row.action === 'approval.decide' && row.digest === digest)
    expect(rows.map(({ row }) => [row.kind, row.decision, row.principalId])).toEqual(
      ['intent', 'outcome', 'intent', 'outcome'].map((kind) => [kind, 'allow', info.requesterId]),
    )
  })

  test('denies with a reason, and shows what is over as over', async () => {
    const { info, path } = await ask()
    const { browser, text } = await signedIn(path)
    const csrf = fieldOf(text, 'csrf')
    expect((await browser.post(`${path}/deny`, { csrf, reason: '<b>no</b>', retry: 'yes' })).status).toBe(303)
    expect(await world.client.approvals.get(info.id)).toMatchObject({ state: 'denied', doNotRetry: false })
    const after = (await browser.get(path)).text
    expect(after).toContain('denied')
    expect(after).toContain('&lt;b&gt;no&lt;/b&gt;')
    expect(after).not.toContain('plan_digest')
    const late = await browser.post(`${path}/approve`, { csrf, plan_digest: info.planDigest })
    expect(late.status).toBe(409)
    expect(late.text).toContain('denied already')
  })

  test('takes no approval of anything else than what it has shown', async () => {
    const { info, path } = await ask()
    const { browser, text } = await signedIn(path)
    const csrf = fieldOf(text, 'csrf')
    expect((await browser.post(`${path}/approve`, { csrf, plan_digest: 'ab'.repeat(32) })).status).toBe(409)
    expect((await browser.post(`${path}/approve`, { csrf, plan_digest: 'x' })).status).toBe(422)
    expect((await browser.post(`${path}/approve`, { csrf })).status).toBe(422)
    expect((await world.client.approvals.get(info.id)).state).toBe('pending')
  })

  test('takes no form of another site, of another visitor, or without its token', async () => {
    const { info, path } = await ask()
    const { browser, text } = await signedIn(path)
    const [csrf, plan_digest] = [fieldOf(text, 'csrf'), info.planDigest]
    const other = await signedIn(path)
    for (const [form, headers] of [
      [{ csrf, plan_digest }, { origin: 'https://evil.example' }],
      [{ csrf, plan_digest }, { 'sec-fetch-site': 'cross-site' }],
      [{ csrf, plan_digest }, { 'sec-fetch-site': 'same-site' }],
      [{ csrf: fieldOf(other.text, 'csrf'), plan_digest }, {}],
      [{ csrf: '', plan_digest }, {}],
    ] as [Form, Record<string, string>][])
      expect((await browser.post(`${path}/approve`, form, headers)).status).toBe(403)
    expect((await world.client.approvals.get(info.id)).state).toBe('pending')
    const fresh = new Browser(world.relay.url)
    const forged = await fresh.post(`${path}/sign-in`, { csrf, key: world.relay.firstKey })
    expect(forged.status).toBe(403)
    expect(fresh.cookies.has('cmdop_page')).toBe(false)
    // What a browser sends with a page that sends no referrer.
    const own = { origin: 'null', 'sec-fetch-site': 'same-origin' }
    expect((await browser.post(`${path}/approve`, { csrf, plan_digest }, own)).status).toBe(303)
  })

  test('lets a viewer only look, and a program not even that', async () => {
    const { info, path } = await ask()
    const { rawToken: viewer } = await world.client.keys.issue({ name: 'vera', kind: 'human', role: 'viewer' })
    const { browser, text } = await signedIn(path, viewer)
    expect(text).toContain('echo done')
    expect(text).not.toContain('plan_digest')
    const form = { csrf: fieldOf(text, 'csrf'), plan_digest: info.planDigest }
    expect((await browser.post(`${path}/approve`, form)).status).toBe(403)
    for (const kind of ['ai', 'service'] as const) {
      const { rawToken: key } = await world.client.keys.issue({ name: kind, kind, role: 'member' })
      const program = new Browser(world.relay.url)
      const answer = await program.signIn(path, key)
      expect(answer).toMatchObject({ status: 403, text: expect.stringContaining('Only people sign in here') })
      expect((await program.get(path)).text).not.toContain('echo done')
    }
    expect((await world.client.approvals.get(info.id)).state).toBe('pending')
  })

  test('ends a session with its key, and when its person signs out', async () => {
    const { path } = await ask()
    const issued = await world.client.keys.issue({ name: 'short', kind: 'human', role: 'member' })
    const one = await signedIn(path, issued.rawToken)
    expect(one.text).toContain('echo done')
    await world.client.keys.revoke(issued.id)
    expect((await one.browser.get(path)).text).not.toContain('echo done')
    const two = await signedIn(path)
    const secret = two.browser.cookies.get('cmdop_page') ?? ''
    expect((await two.browser.post(`${path}/sign-out`, { csrf: fieldOf(two.text, 'csrf') })).status).toBe(303)
    two.browser.cookies.set('cmdop_page', secret)
    expect((await two.browser.get(path)).text).not.toContain('echo done')
  })

  test('is signed in to, looked at and left with a row each', async () => {
    const { path } = await ask()
    const scopes = [{ actions: ['machine.list'], machines: { ids: [], names: ['*'] } }]
    const limited = await world.client.keys.issue({ name: 'limited', kind: 'human', scopes })
    const robot = await world.client.keys.issue({ name: 'robot', kind: 'service' })
    const browser = new Browser(world.relay.url)
    expect(await browser.signIn(path, robot.rawToken)).toMatchObject({ status: 403 })
    expect(await browser.signIn(path, `${limited.rawToken.slice(0, -2)}--`)).toMatchObject({ status: 401 })
    expect(await browser.signIn(path, limited.rawToken)).toMatchObject({ status: 303 })
    expect((await browser.get(path)).status).toBe(403)
    const signedOut = await signedIn(path)
    await signedOut.browser.post(`${path}/sign-out`, { csrf: fieldOf(signedOut.text, 'csrf') })
    const rowsOf = async (keyId: string) =>
      (await world.client.audit.getLogs({ keyId, order: 'oldest' })).items.map(
        ({ kind, action, decision, subject, code }) => [kind, action, decision, subject, code],
      )
    expect(await rowsOf(robot.id)).toEqual([['intent', 'login', 'deny', 'page', 'permission']])
    expect(await rowsOf(limited.id)).toEqual([
      ['intent', 'login', 'allow', 'page', null],
      ['outcome', 'login', 'allow', 'page', null],
      ['intent', 'approval.read', 'deny', null, 'permission'],
    ])
    const left = await world.client.audit.getLogs({ action: 'login.revoke', subject: 'page' })
    expect(left.items[0]).toMatchObject({ kind: 'outcome', code: null })
  })

  test('shows that nobody decided in time', async () => {
    const actions = [{ machineId: world.machine.id, method: 'exec', params: { command: 'echo late' } }]
    const info = await world.client.approvals.request({ title: 'Late', actions, expiresInSeconds: 1 })
    const path = `/approvals/${info.id}`
    const { browser, text } = await signedIn(path)
    await waitFor('it expired', async () => (await world.client.approvals.get(info.id)).state === 'expired')
    expect((await browser.get(path)).text).toContain('expired')
    const form = { csrf: fieldOf(text, 'csrf'), plan_digest: info.planDigest }
    expect((await browser.post(`${path}/approve`, form)).status).toBe(409)
  })
})

test('Nobody tries keys at the page again and again', async () => {
  await using strict = await startWorld({ machines: 0, relay: { signInsPerMinute: 3 } })
  const browser = new Browser(strict.relay.url)
  const tries: number[] = []
  for (let count = 0; count < 5; count += 1) tries.push((await browser.signIn('/approvals/apr_1', 'wrong')).status)
  expect(tries).toEqual([401, 401, 401, 429, 429])
})

test('The cookie is only for pages, over HTTPS where people come by that', async () => {
  await using secure = await startWorld({ machines: 0, relay: { publicUrl: 'https://relay.example/' } })
  const answer = await fetch(`${secure.relay.url}/approvals/apr_1`)
  expect(answer.headers.get('set-cookie')).toMatch(/; Path=\/approvals; HttpOnly; SameSite=Strict; .*; Secure$/)
})
