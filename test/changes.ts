import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { enrollMachine } from '@cmdop/machine'
import { machineKeyText } from '@cmdop/protocol'
import { fleetRunOf } from './fleet-runs.ts'
import { invitePerson } from './people.ts'
import { NEVER } from './schedule-runs.ts'
import { signedBy } from './signed-requests.ts'
import type { World } from './world.ts'

/** A request that changes something. */
export interface Way {
  /** Of the path, in order. */
  readonly places?: readonly string[]
  readonly body?: unknown
  /** Default: the owner's key; null: nobody's. */
  readonly token?: string | null
}

/** What came of one. */
export interface ChangeAnswer {
  readonly status: number
  /** Its content type, without parameters. */
  readonly type: string
  readonly text: string
  readonly json: { readonly error?: { readonly code: string } }
}

/** A request for every operation of the relay that changes something, by method and path. */
export interface Changes {
  readonly ways: Record<string, Way>
  /** `POST /api/machines/{machine}/key`, which the machine signs. */
  readonly rotate: () => Promise<{ status: number; json: { error: { code: string } } }>
}

/** A machine without a daemon. */
async function enrolled(world: World, name: string): Promise<string> {
  const { rawToken: token } = await world.client.enrollmentTokens.issue()
  const given = { relayUrl: world.relay.url, token, dataDir: await world.folder(), name }
  return (await enrollMachine(given)).machineId
}

/** Something of each kind that can be changed, and a request that changes it while rows can be written. */
export async function prepareChanges(world: World): Promise<Changes> {
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
  const { slug } = await client.skills.create('Some')
  const skillMd = `---\nname: ${slug}\ndescription: x\nversion: 1.0.0\n---\n`
  await client.skills.publish(slug, { skillMd })
  const { tunnelId } = await client.tunnels.open({ machineId: machine.id, localPort: 9, protocol: 'tcp' })
  const { code } = await client.members.code(ann.email)
  const other = await client.fleets.create({ name: 'Other', slug: 'other' })
  const unused = await client.fleets.create({ name: 'Unused', slug: 'unused' })
  const [away, home] = [await enrolled(world, 'away'), await enrolled(world, 'home')]
  await client.fleets.machines.attach(away, { fleetId: other.id })
  const send = await signedBy(world, machine)
  const rotate = () => {
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
  const schedule = await client.schedules.create({ name: 'some', cronExpr: NEVER, command: 'true' })
  const places = [fleet, schedule.id]
  const about = { runId: randomUUID(), machineId: machine.id, agentType: 'terminal', model: 'a:b', title: 'Look' }
  const ways: Record<string, Way> = {
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
    'POST /api/fleets/{fleet}/schedules': { places: [fleet], body: { name: 'x', cron_expr: NEVER, command: 'true' } },
    'PATCH /api/fleets/{fleet}/schedules/{schedule}': { places, body: { name: 'other' } },
    'POST /api/fleets/{fleet}/schedules/{schedule}/run': { places },
    'POST /api/fleets/{fleet}/schedules/{schedule}/runs/{run}/cancel': { places: [...places, 'srn_none'] },
    'DELETE /api/fleets/{fleet}/schedules/{schedule}': { places },
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
    'POST /skills/': { body: { name: 'Another' } },
    'PATCH /skills/{slug}/': { places: [slug], body: { visibility: 'public' } },
    'DELETE /skills/{slug}/': { places: [slug] },
    'POST /skills/{slug}/publish/': { places: [slug], body: { skill_md: skillMd.replace('1.0.0', '1.0.1') } },
    'POST /skills/{slug}/install/': { places: [slug] },
    'POST /skills/{slug}/star/': { places: [slug] },
    'POST /skills/{slug}/reviews/': { places: [slug], body: { body: 'It works.' } },
    'POST /api/tunnels': { body: { machine_id: machine.id, local_port: 9 } },
    'DELETE /api/tunnels/{tunnel}': { places: [tunnelId] },
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
  return { ways, rotate }
}

/** Sends one, as its way says. */
export async function sendChange(
  world: World,
  way: string,
  { places = [], body, token = world.relay.firstKey }: Way,
): Promise<ChangeAnswer> {
  const [method = '', path = ''] = way.split(' ')
  const left = [...places]
  const url = `${world.relay.url}${path.replaceAll(/\{\w+\}/g, () => left.shift() ?? '')}`
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const type = answer.headers.get('content-type')?.split(';', 1)[0] ?? ''
  const text = await answer.text()
  const json = (type === 'application/json' ? JSON.parse(text) : {}) as ChangeAnswer['json']
  return { status: answer.status, type, text, json }
}
