import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { machineKeyText } from '@cmdop/protocol'
import { enrollMachine } from '@cmdop/machine'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fleetRunOf } from './fleet-runs.ts'
import { invitePerson } from './people.ts'
import { signedBy } from './signed-requests.ts'
import { startWorld, type World } from './world.ts'

/** Ways that have no row of their own, and why. */
const WITHOUT_ROW = {
  'POST /api/policy/test': 'nothing is done',
  'POST /api/machines/ping': 'nothing is done',
  'POST /api/login/code': 'its answer is the same for every email; that no code is made is looked at below',
  'POST /api/runs/{run}/entries': 'steps of a run; its beginning and its end have rows',
  'POST /api/machines/{machine}/key/confirm': 'only says which key is used; the change has a row',
  'POST /api/recordings': 'the recording of what has rows already',
  'PUT /api/recordings/{recording}/content': 'the same',
  'POST /api/recordings/batch': 'the same',
  'PUT /api/recordings/{recording}/manifest': 'the same',
}

interface Way {
  /** Of the path, in order. */
  readonly places?: readonly string[]
  readonly body?: unknown
  /** Default: the owner's key; null: nobody's. */
  readonly token?: string | null
}

let world: World
let ways: Record<string, Way> = {}
let rotate = () => Promise.resolve({ status: 0, json: {} as { error: { code: string } } })
beforeAll(async () => {
  world = await startWorld({ relay: { smtp: { url: 'smtp://127.0.0.1:9', from: 'relay@example.com' } } })
  ways = await prepare()
})
afterAll(() => world[Symbol.asyncDispose]())

const Document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })

async function changingWays(): Promise<string[]> {
  const { paths } = Document.parse(await (await fetch(`${world.relay.url}/api/openapi.json`)).json())
  return Object.entries(paths)
    .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
    .filter((way) => !way.startsWith('GET '))
}

describe('what changes something, while no row of the audit log can be written', () => {
  test('is here whatever the relay offers', async () => {
    const known = [...Object.keys(ways), ...Object.keys(WITHOUT_ROW), 'POST /api/machines/{machine}/key']
    expect(known.toSorted()).toEqual((await changingWays()).toSorted())
  })

  test('does not happen: everything is unavailable, and the database is as it was', async () => {
    using database = new DatabaseSync(join(world.relay.dataDir, 'relay.sqlite'))
    database.exec(`create trigger full before insert on audit begin select raise(abort, 'disk is full'); end`)
    const before = contentOf(database)
    const asked = await answerTo('POST /api/login/code', { token: null, body: { email: 'ann@example.com' } })
    expect(asked).toEqual([202, undefined])
    const answers: Record<string, unknown> = {}
    for (const [way, how] of Object.entries(ways)) answers[way] = await answerTo(way, how)
    const rotated = await rotate()
    answers['POST /api/machines/{machine}/key'] = [rotated.status, rotated.json.error.code]
    expect(answers).toEqual(Object.fromEntries(Object.keys(answers).map((way) => [way, [503, 'unavailable']])))
    const after = contentOf(database)
    for (const table of Object.keys(before)) expect(after[table], table).toEqual(before[table])
    database.exec('drop trigger full')
  })
})

/** Everything but the audit log, and when a key or a machine was heard of last. */
function contentOf(database: DatabaseSync): Record<string, unknown[]> {
  const tables = database.prepare(`select name from sqlite_master where type = 'table'`).all()
  const names = tables.map(({ name }) => String(name)).filter((name) => !name.startsWith('audit'))
  return Object.fromEntries(
    names.map((name) => [
      name,
      database
        .prepare(`select * from "${name}"`)
        .all()
        .map(({ last_used_at: _used, last_seen_at: _seen, ...row }) => row),
    ]),
  )
}

async function answerTo(way: string, { places = [], body, token = world.relay.firstKey }: Way): Promise<unknown[]> {
  const [method = '', path = ''] = way.split(' ')
  const left = [...places]
  const url = `${world.relay.url}${path.replaceAll(/\{\w+\}/g, () => left.shift() ?? '')}`
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const { error } = (await answer.json()) as { error?: { code: string } }
  return [answer.status, error?.code]
}

/** A machine without a daemon. */
async function enrolled(name: string): Promise<string> {
  const { rawToken: token } = await world.client.enrollmentTokens.issue()
  const given = { relayUrl: world.relay.url, token, dataDir: await world.folder(), name }
  return (await enrollMachine(given)).machineId
}

/** Something of each kind that can be changed, and a request that changes it while rows can be written. */
async function prepare(): Promise<Record<string, Way>> {
  const { client, machine } = world
  const { fleetId: fleet } = await client.me()
  // One person decides alone here.
  await client.members.configure({ fourEyes: false })
  const ann = await invitePerson(world, 'ann', 'member')
  const invited = await client.members.invite({ email: 'bob@example.com' })
  const { rawToken: enrolment } = await client.enrollmentTokens.issue()
  const key = await client.keys.issue({ name: 'some' })
  const ask = () =>
    client.approvals.request({
      title: 'Say it',
      actions: [{ machineId: machine.id, method: 'exec', params: { command: 'echo asked' } }],
    })
  const [granted, pending] = [await ask(), await ask()]
  await client.approvals.approve(granted.id, { planDigest: granted.planDigest, grantSeconds: 600 })
  const [grant] = await client.approvals.grants.list()
  const webhook = await client.webhooks.create({ url: 'http://127.0.0.1:9/' })
  const { code } = await client.members.code(ann.email)
  const other = await client.fleets.create({ name: 'Other', slug: 'other' })
  const unused = await client.fleets.create({ name: 'Unused', slug: 'unused' })
  const [away, home] = [await enrolled('away'), await enrolled('home')]
  await client.fleets.machines.attach(away, { fleetId: other.id })
  const send = await signedBy(world, machine)
  rotate = () => {
    const { publicKey: made, privateKey } = generateKeyPairSync('ed25519')
    const publicKey = made.export({ type: 'spki', format: 'pem' }).toString()
    const text = machineKeyText({ relayId: world.relay.relayId, machineId: machine.id, publicKey })
    const body = { public_key: publicKey, signature: sign(null, Buffer.from(text), privateKey).toString('base64url') }
    return send({ method: 'POST', path: `/api/machines/${machine.id}/key`, body })
  }
  // Noted is at most once a minute when a key was used.
  for (const person of [client, ann.client]) await person.me()
  const own = { token: ann.token }
  const asks = (prefix: string): Record<string, Way> => ({
    [`POST ${prefix}/{machine}/ask`]: { places: [machine.id], body: { prompt: 'x' } },
    [`DELETE ${prefix}/{machine}/ask/{call}`]: { places: [machine.id, 'call_some_ask'] },
    [`POST ${prefix}/{machine}/confirm`]: { places: [machine.id], body: { token: 'x', accept: true } },
    [`POST ${prefix}/{machine}/pin`]: { places: [machine.id], body: { challenge_id: 'x', pin: '1234' } },
    [`DELETE ${prefix}/{machine}/messages`]: { places: [machine.id] },
  })
  const enroll = { token: enrolment, hostname: 'h', os: 'linux', architecture: 'x64', agent_version: '1' }
  const public_key = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const fleetRun = randomUUID()
  await client.fleetRuns.create(fleetRunOf(fleetRun, [machine.id]))
  const about = { runId: randomUUID(), machineId: machine.id, agentType: 'terminal', model: 'a:b', title: 'Look' }
  return {
    'POST /api/enrollment-tokens': { body: {} },
    'POST /api/enroll': { token: null, body: { ...enroll, public_key } },
    'POST /api/machines/{machine}/release': { places: [machine.id] },
    'POST /api/machines/{machine}/enable': { places: [machine.id] },
    'DELETE /api/machines/{machine}': { places: [machine.id] },
    'POST /api/fleets': { body: { name: 'New', slug: 'new' } },
    'PATCH /api/fleets/{fleet}': { places: [fleet], body: { name: 'Renamed' } },
    'DELETE /api/fleets/{fleet}': { places: [other.id] },
    'POST /api/fleets/{fleet}/machines': { places: [unused.id], body: { machine_id: home } },
    'DELETE /api/fleets/{fleet}/machines/{machine}': { places: [other.id, away] },
    ...asks('/api/machines'),
    ...asks('/api/admin/machines'),
    'POST /api/fleets/{fleet}/api-keys': { places: [fleet], body: { name: 'new' } },
    'DELETE /api/fleets/{fleet}/api-keys/{key}': { places: [fleet, key.id] },
    'POST /api/fleets/{fleet}/api-keys/{key}/rotate': { places: [fleet, key.id], body: {} },
    'POST /api/channel-tickets': {},
    'POST /api/approvals': {
      body: {
        title: 'Say it',
        actions: [{ machine_id: machine.id, method: 'exec', params: { command: 'echo asked' } }],
      },
    },
    'POST /api/approvals/{approval}/approve': { places: [pending.id], body: { plan_digest: pending.planDigest } },
    'POST /api/approvals/{approval}/deny': { places: [pending.id], body: {} },
    'POST /api/approvals/{approval}/withdraw': { places: [pending.id] },
    'DELETE /api/grants/{grant}': { places: [grant?.id ?? ''] },
    'PUT /api/policy': { body: { policy: { mode: 'strict' }, version: 0 } },
    'POST /api/fleets/{fleet}/members': { places: [fleet], body: { email: 'eve@example.com' } },
    'PATCH /api/fleets/{fleet}/members/{user}': { places: [fleet, ann.id], body: { role: 'viewer' } },
    'DELETE /api/fleets/{fleet}/members/{user}': { places: [fleet, ann.id] },
    'POST /api/fleets/{fleet}/members/{user}/code': { places: [fleet, ann.id] },
    'DELETE /api/fleets/{fleet}/members/{user}/totp': { places: [fleet, ann.id] },
    'POST /api/fleets/{fleet}/invitations': { places: [fleet], body: { email: 'new@example.com' } },
    'DELETE /api/fleets/{fleet}/invitations/{invitation}': { places: [fleet, invited.id] },
    'PATCH /api/fleets/{fleet}/settings': { places: [fleet], body: { four_eyes: true } },
    'POST /api/login': { token: null, body: { email: ann.email, code } },
    'POST /api/invitations/accept': { token: null, body: { token: invited.token } },
    'POST /api/login/own-code': own,
    'DELETE /api/login/sessions/{session}': { places: [ann.sessionId], ...own },
    'POST /api/totp': own,
    'POST /api/totp/confirm': { ...own, body: { code: '123456' } },
    'POST /api/totp/remove': { ...own, body: { code: '123456' } },
    'POST /api/webhooks': { body: { url: 'http://127.0.0.1:9/other' } },
    'PATCH /api/webhooks/{webhook}': { places: [webhook.id], body: { enabled: false } },
    'DELETE /api/webhooks/{webhook}': { places: [webhook.id] },
    'POST /api/webhooks/{webhook}/test': { places: [webhook.id] },
    'PATCH /api/machines/{machine}': { places: [machine.id], body: { labels: { role: 'web' } } },
    'POST /api/fleet-runs': { body: fleetRunOf(randomUUID(), [machine.id]) },
    'POST /api/fleet-runs/{run}/claim': { places: [fleetRun], body: {} },
    'POST /api/fleet-runs/{run}/rows': { places: [fleetRun], body: { epoch: 1, rows: [], state: 'ended' } },
    'POST /api/fleet-runs/{run}/cancel': { places: [fleetRun] },
    'POST /api/fleet-runs/{run}/pause': { places: [fleetRun], body: {} },
    'POST /api/fleet-runs/{run}/continue': { places: [fleetRun] },
    'POST /api/fleet-runs/{run}/approvals': {
      places: [fleetRun],
      body: { title: 'true', actions: [{ machine_id: machine.id, method: 'exec', params: { command: 'true' } }] },
    },
    'POST /api/runs': { body: { ...about, entry: { v: 1, type: 'run_started' } } },
  }
}
