import { createHash, randomUUID } from 'node:crypto'
import type { Store } from '@cmdop/relay'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { approvableText, planText } from '@cmdop/protocol'
import { startWorld, type World } from './world.ts'

const MACHINES = 10_000

let world: World
let store: Store
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
  store = await world.openStore()
})
afterAll(() => world[Symbol.asyncDispose]())

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** A question about very many machines, of which each `differs`-th has a command of its own. */
async function askAboutMany(differs: number): Promise<string> {
  const { fleetId, principalId: requesterId } = await world.client.me()
  const id = `apr_${randomUUID()}`
  const none = { params: null, environment: [], words: [], files: [], restrictions: {}, effectHash: null }
  const rows = Array.from({ length: MACHINES }, (_, position) => {
    const isOther = position % differs === 1
    const command = isOther ? `restart app --slot ${position}` : 'restart app'
    const machineId = `mch_${position}`
    const action = { version: 1 as const, machineId, method: 'exec', command, cwd: '/srv', ...none }
    const about = { approvalId: id, position, machineId, machineName: `web-${position}`, action, effect: null }
    const state = { state: 'waiting' as const, callId: null, edited: null, signed: null }
    return { ...about, ...state, digest: sha256(approvableText(action)), alike: isOther ? position : 0 }
  })
  const now = Date.now()
  await store.approvals.create(
    {
      id,
      fleetId,
      state: 'pending',
      title: 'Restart everything',
      reason: '',
      danger: 'medium',
      dangerReason: '',
      rule: 'caller',
      requesterId,
      requesterName: 'robot',
      requesterKind: 'ai',
      personId: 'prn_other',
      lentByIds: [],
      runId: null,
      fleetRunId: randomUUID(),
      fleetRunGeneration: 0,
      agentType: null,
      model: 'anthropic:some-model',
      callId: null,
      planDigest: sha256(planText(rows.map(({ digest }) => digest))),
      requirement: [{ from: 'member', n: 1 }],
      fourEyes: false,
      deletes: false,
      editedBy: null,
      editedFrom: null,
      doNotRetry: false,
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + 3_600_000).toISOString(),
      decidedAt: null,
    },
    rows,
  )
  return id
}

/** The page as who has signed in with the owner's key sees it. */
async function pageOf(id: string): Promise<string> {
  const url = `${world.relay.url}/approvals/${id}`
  const first = await fetch(url)
  const jar = new Map(first.headers.getSetCookie().map((each) => [each.split('=')[0], each.split(';')[0]]))
  const csrf = /name="csrf" value="([^"]*)"/.exec(await first.text())?.[1] ?? ''
  const body = new URLSearchParams({ csrf, key: world.relay.firstKey })
  const headers = { cookie: Array.from(jar.values()).join('; '), origin: world.relay.url }
  const answer = await fetch(`${url}/sign-in`, { method: 'POST', body, headers, redirect: 'manual' })
  for (const each of answer.headers.getSetCookie()) jar.set(each.split('=')[0], each.split(';')[0])
  return await (await fetch(url, { headers: { cookie: Array.from(jar.values()).join('; ') } })).text()
}

test('a question about ten thousand machines shows what is equal once, is bounded, and is approved as a whole', async () => {
  const id = await askAboutMany(833)
  const info = await world.client.approvals.get(id)
  expect(info).toMatchObject({ actionCount: MACHINES, groupCount: 14, model: 'anthropic:some-model' })
  expect(info.groups[0]).toMatchObject({ machineId: 'mch_0', count: MACHINES - 13 })
  expect(info.groups[0]?.machineNames).toHaveLength(500)
  expect(info.actions.map(({ text }) => text)).toEqual([
    'restart app',
    ...Array.from({ length: 13 }, (_, index) => `restart app --slot ${index * 833 + 1}`),
  ])
  expect(JSON.stringify(info).length).toBeLessThan(64_000)
  const page = await pageOf(id)
  expect(page).toContain('On 9987 machines, the same on each')
  expect(page).toContain('and 9487 more')
  expect(page).toContain('anthropic:some-model')
  expect(page.length).toBeLessThan(64_000)
  expect(await Array.fromAsync(world.client.approvals.actions(id))).toHaveLength(MACHINES)
  await world.client.approvals.approve(id, { planDigest: info.planDigest })
  expect((await world.client.approvals.get(id)).state).toBe('approved')
}, 60_000)

test('of more groups than a page can show it says how many it does not', async () => {
  const id = await askAboutMany(2)
  const info = await world.client.approvals.get(id)
  expect(info).toMatchObject({ groupCount: MACHINES / 2 + 1 })
  expect(info.groups).toHaveLength(100)
  expect(JSON.stringify(info).length).toBeLessThan(128_000)
  expect(await pageOf(id)).toContain('4901 more that differ are not shown on this page')
}, 60_000)
