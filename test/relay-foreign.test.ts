import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { addFleet } from './fleets.ts'
import { someIds } from './some-ids.ts'
import { startWorld, type World } from './world.ts'

/** Valid bodies, by method and path: what is refused is refused for the object, not for the request. */
const bodies: Record<string, unknown> = {
  'post /api/fleets/{fleet}/api-keys': { name: 'mine' },
  'post /api/fleets/{fleet}/api-keys/{key}/rotate': {},
  'post /api/fleets/{fleet}/members': { email: 'spy@example.com' },
  'patch /api/fleets/{fleet}/members/{user}': { role: 'viewer' },
  'post /api/fleets/{fleet}/invitations': { email: 'spy@example.com' },
  'post /api/fleets/{fleet}/schedules': { name: 'spy', cron_expr: '0 0 * * *', command: 'true' },
  'patch /api/fleets/{fleet}/schedules/{schedule}': { is_enabled: false },
  'patch /api/fleets/{fleet}/settings': { mfa_required: 'none' },
  'patch /api/fleets/{fleet}': { name: 'Spied' },
  'post /api/fleets/{fleet}/machines': { machine_id: 'mch_none' },
  'patch /api/machines/{machine}': { labels: { role: 'spied' } },
  'post /api/approvals/{approval}/approve': { plan_digest: 'a'.repeat(64) },
  'post /api/approvals/{approval}/deny': {},
  'patch /api/webhooks/{webhook}': { enabled: false },
  'patch /skills/{slug}/': { visibility: 'public' },
  'post /skills/{slug}/publish/': { skill_md: 'x' },
  'post /skills/{slug}/reviews/': { body: 'Looked at.' },
  'post /api/runs/{run}/entries': { index: 1, entries: [{ v: 1, type: 'looked' }] },
  'post /api/fleet-runs/{run}/approvals': {
    title: 'true',
    actions: [{ machine_id: 'mch_none', method: 'exec', params: { command: 'true' } }],
  },
  'post /api/fleet-runs/{run}/claim': {},
  'post /api/fleet-runs/{run}/pause': {},
  'post /api/fleet-runs/{run}/rows': { epoch: 1, rows: [] },
  'post ask': { prompt: 'Look' },
  'post confirm': { token: 'cfm_0123456789abcdef', accept: true },
  'post pin': { challenge_id: 'pin_0123456789abcdef', pin: '1234' },
}

const Operations = z.record(
  z.string(),
  z.looseObject({ security: z.array(z.record(z.string(), z.unknown())).optional() }),
)
const Document = z.looseObject({ paths: z.record(z.string(), Operations) })

let world: World
let key = ''
let paths: z.output<typeof Document>['paths'] = {}
/** Ids of objects that are there, of the world's fleet. */
let ids: Record<string, string> = {}
beforeAll(async () => {
  world = await startWorld()
  key = (await addFleet(await world.openStore())).raw
  paths = Document.parse(await (await fetch(`${world.relay.url}/api/openapi.json`)).json()).paths
  ids = await someIds(world)
})
afterAll(() => world[Symbol.asyncDispose]())

describe('an object of another fleet', () => {
  test('is `not_found` for every route and method that names one', async () => {
    const asked: string[] = []
    for (const [path, operations] of Object.entries(paths)) {
      // Sessions are only one’s own, and no key gets so far as to ask for one.
      if (!path.includes('{') || path.includes('{session}')) continue
      for (const [method, { security }] of Object.entries(operations)) {
        if (security?.some((scheme) => 'machine' in scheme) === true) continue
        const { status, code } = await ask(method, path)
        asked.push(`${method} ${path}`)
        expect(`${method} ${path} ${status} ${code}`).toBe(`${method} ${path} 404 not_found`)
      }
    }
    expect(asked.length).toBeGreaterThan(25)
  })

  test('is in no list', async () => {
    const lists = ['/api/machines', '/api/recordings', '/api/runs', '/api/fleet-runs', '/api/tunnels']
    for (const path of lists) {
      const answer = await fetch(`${world.relay.url}${path}`, { headers: { authorization: `Bearer ${key}` } })
      expect(await answer.json()).toMatchObject({ items: [] })
    }
    const spy = world.connect({ token: key })
    expect((await spy.skills.list()).results).toEqual([])
    expect((await spy.skills.tags()).results).toEqual([])
    expect((await spy.tunnels.sessions()).items).toEqual([])
    expect((await spy.keys.list()).total).toBe(1)
    expect((await spy.members.list()).total).toBe(1)
    expect((await spy.members.invitations()).items).toEqual([])
    expect((await spy.schedules.list()).items).toEqual([])
    const own = { fleet: (await spy.me()).fleetId }
    // Nor by its id under one’s own fleet.
    for (const [method, path] of [
      ['delete', '/api/fleets/{fleet}/api-keys/{key}'],
      ['post', '/api/fleets/{fleet}/api-keys/{key}/rotate'],
      ['patch', '/api/fleets/{fleet}/members/{user}'],
      ['delete', '/api/fleets/{fleet}/members/{user}'],
      ['post', '/api/fleets/{fleet}/members/{user}/code'],
      ['delete', '/api/fleets/{fleet}/members/{user}/totp'],
      ['delete', '/api/fleets/{fleet}/invitations/{invitation}'],
      ['get', '/api/fleets/{fleet}/schedules/{schedule}'],
      ['patch', '/api/fleets/{fleet}/schedules/{schedule}'],
      ['delete', '/api/fleets/{fleet}/schedules/{schedule}'],
      ['post', '/api/fleets/{fleet}/schedules/{schedule}/run'],
      ['get', '/api/fleets/{fleet}/schedules/{schedule}/runs'],
    ] as const)
      expect(`${path} ${(await ask(method, path, own)).code}`).toBe(`${path} not_found`)
  })
})

async function ask(method: string, path: string, own: Record<string, string> = {}) {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => own[name] ?? ids[name] ?? 'missing')
  const body = bodies[`${method} ${path}`] ?? bodies[`${method} ${path.split('/').at(-1) ?? ''}`]
  const answer = await fetch(`${world.relay.url}${filled}`, {
    method: method.toUpperCase(),
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const code = /"code":"(\w+)"/.exec(text)?.[1]
  return { status: answer.status, code }
}
