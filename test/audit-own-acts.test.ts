import { hash, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { canonicalJson } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

/** Intent and outcome of what the relay did of itself, the oldest first. */
const rowsOf = (query: { action: string; approvalId: string }) =>
  waitFor(`${query.action} is written`, async () => {
    const { items } = await world.client.audit.getLogs({ ...query, order: 'oldest' })
    return items.length >= 2 && items
  })

const system = { principalId: 'system', principalKind: 'system', principalName: 'relay' }

async function ask(more: object = {}) {
  const actions = [{ machineId: world.machine.id, method: 'exec', params: { command: 'echo asked' } }]
  return await world.client.approvals.request({ title: 'Say it', actions, ...more })
}

describe('what the relay does of itself is in the audit log', () => {
  test('that nobody decided about an approval in time', async () => {
    const { id } = await ask({ expiresInSeconds: 1 })
    const rows = await rowsOf({ action: 'approval.expire', approvalId: id })
    expect(rows).toMatchObject([
      { ...system, kind: 'intent', subject: `approval:${id}` },
      { ...system, kind: 'outcome', code: null },
    ])
    expect((await world.client.approvals.get(id)).state).toBe('expired')
  })

  test('that an approval is void because its run is over', async () => {
    const runId = randomUUID()
    const about = { agentType: 'terminal', model: 'scripted:scripted', title: 'Look' }
    await world.client.runs.create({
      runId,
      machineId: world.machine.id,
      ...about,
      entry: { v: 1, type: 'run_started' },
    })
    const { id } = await ask({ runId: runId })
    await world.client.runs.append(runId, 1, [{ v: 1, type: 'run_ended', status: 'failed' }])
    expect(await rowsOf({ action: 'approval.void', approvalId: id })).toMatchObject([
      { ...system, runId },
      { kind: 'outcome' },
    ])
  })

  test('that it is void because the machine found something else', async () => {
    const folder = await world.folder()
    await writeFile(`${folder}/deploy.sh`, 'echo good')
    const call = { callId: 'call_changed_file', cwd: folder, approval: { ask: true } }
    const refused = await world.handle.exec('sh deploy.sh', call).then(undefined, (error: unknown) => error)
    const { approvalId } = (refused as { details: { approvalId: string } }).details
    const { planDigest } = await world.client.approvals.get(approvalId)
    await world.client.approvals.approve(approvalId, { planDigest })
    await writeFile(`${folder}/deploy.sh`, 'echo bad')
    await expect(world.handle.exec('sh deploy.sh', call)).rejects.toMatchObject({ code: 'approval_void' })
    expect(await rowsOf({ action: 'approval.void', approvalId })).toMatchObject([system, { ...system, code: null }])
  })

  test('that a grant is made by a decision, and that it is over', async () => {
    const { id, planDigest } = await ask()
    const { principalId: onBehalfOf } = await world.client.me()
    await world.client.approvals.approve(id, { planDigest, grantSeconds: 60 })
    const [grant] = await world.client.approvals.grants.list()
    const subject = `grant:${grant?.id}`
    const about = { ...system, subject, onBehalfOf, machineId: world.machine.id }
    expect(await rowsOf({ action: 'grant.create', approvalId: id })).toMatchObject([about, { ...about, code: null }])
    using database = new DatabaseSync(join(world.relay.dataDir, 'relay.sqlite'))
    database.exec(`update grants set expires_at = '2020-01-01T00:00:00.000Z'`)
    expect(await rowsOf({ action: 'grant.expire', approvalId: id })).toMatchObject([about, { ...about, code: null }])
    // Once, although it is looked every second.
    const next = await ask({ expiresInSeconds: 1 })
    await rowsOf({ action: 'approval.expire', approvalId: next.id })
    expect(await rowsOf({ action: 'grant.expire', approvalId: id })).toHaveLength(2)
  })
})

test('every key of an owner that the relay makes itself is in the audit log', async () => {
  const { principalId: onBehalfOf } = await world.client.me()
  const keyIds = [world.relay.firstKey, await world.relay.inProcess.issueOwnerKey('another')].map(
    (key) => key.split('_')[2],
  )
  for (const id of keyIds) {
    const { items } = await world.client.audit.getLogs({ subject: `key:${id}`, order: 'oldest' })
    expect(items).toMatchObject([
      { ...system, action: 'key.issue', kind: 'intent', onBehalfOf },
      { ...system, action: 'key.issue', kind: 'outcome', onBehalfOf, code: null },
    ])
  }
})

test('what a person does about signing in has a row before and after it, with what it was about', async () => {
  const { token: invitation, id } = await world.client.members.invite({ email: 'ann@example.com' })
  const {
    token,
    principalId,
    sessionId: session,
  } = await world.client.login.accept({
    token: invitation,
  })
  const ann = world.connect({ token })
  const { code } = await ann.login.ownCode()
  expect(await codeOf(() => ann.login.signIn({ email: 'ann@example.com', code: 'AAAA-AAAA' }))).toBe('auth')
  const { sessionId: second } = await ann.login.signIn({ email: 'ann@example.com', code })
  await ann.login.setUpTotp()
  expect(await codeOf(() => ann.login.confirmTotp('000000'))).toBe('auth')
  await ann.login.revoke(second)
  const { items } = await world.client.audit.getLogs({ principalId, order: 'oldest' })
  const key = { keyId: session }
  const [accept, made] = [{ action: 'invitation.accept' }, { action: 'login.code', ...key }]
  const [wrong, right] = [
    { action: 'login', keyId: null },
    { action: 'login', keyId: null },
  ]
  const [propose, confirm] = ['propose', 'confirm'].map((each) => ({
    action: 'totp.set-up',
    subject: `totp:${each}`,
    ...key,
  }))
  const end = { action: 'login.revoke', subject: `session:${second}`, ...key }
  expect(items).toMatchObject([
    { kind: 'intent', subject: `invitation:${id}`, ...accept },
    { kind: 'outcome', subject: `invitation:${id}`, code: null, ...accept },
    { kind: 'intent', ...made },
    { kind: 'outcome', code: null, ...made },
    { kind: 'intent', ...wrong },
    { kind: 'outcome', code: 'auth', ...wrong },
    { kind: 'intent', ...right },
    { kind: 'outcome', code: null, subject: `session:${second}`, ...right },
    { kind: 'intent', ...propose },
    { kind: 'outcome', code: null, ...propose },
    { kind: 'intent', ...confirm },
    { kind: 'outcome', code: 'auth', ...confirm },
    { kind: 'intent', ...end },
    { kind: 'outcome', code: null, ...end },
  ])
})

test('a row says what was changed, and of a policy and of settings by which digest, never of what is secret', async () => {
  const { client } = world
  const sha256 = (given: unknown) => hash('sha256', canonicalJson(given))
  const outcome = async (query: object) =>
    (await client.audit.getLogs({ ...query, kind: 'outcome', limit: 1 })).items[0]
  await client.members.configure({ fourEyes: false })
  expect(await outcome({ action: 'fleet.configure' })).toMatchObject({
    subject: 'settings:four_eyes',
    digest: sha256({ four_eyes: false }),
  })
  const policy = { mode: 'default' }
  await client.policy.set({ policy, version: 0 })
  expect(await outcome({ digest: sha256(policy) })).toMatchObject({ action: 'policy.write', subject: 'policy:0' })
  const deep = `{"version":1,"policy":{"mode":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`
  const headers = { authorization: `Bearer ${world.relay.firstKey}`, 'content-type': 'application/json' }
  const refused = await fetch(`${world.relay.url}/api/policy`, { method: 'PUT', headers, body: deep })
  expect(await refused.json()).toMatchObject({ error: { code: 'validation' } })
  const { id } = await client.webhooks.create({ url: 'https://hooks.example/secret' })
  await client.webhooks.update(id, { enabled: false })
  await client.webhooks.remove(id)
  for (const what of ['create', 'disable', 'remove'])
    expect(await outcome({ subject: `webhook:${id} ${what}` })).toMatchObject({ code: null, digest: null })
})

test('a run is in the audit log with its beginning, its stops and its end, and each reading of it; not with its steps', async () => {
  const runId = randomUUID()
  const { runs, audit } = world.client
  const about = { agentType: 'terminal', model: 'scripted:scripted', title: 'Look' }
  await runs.create({ runId, machineId: world.machine.id, ...about, entry: { v: 1, type: 'run_started' } })
  await runs.append(runId, 1, [{ v: 1, type: 'step_started' }])
  await runs.append(runId, 2, [{ v: 1, type: 'run_stopped', status: 'needs_approval', code: 'permission' }])
  await runs.append(runId, 3, [{ v: 1, type: 'run_resumed' }])
  await runs.append(runId, 4, [{ v: 1, type: 'step_started' }])
  await runs.append(runId, 5, [{ v: 1, type: 'run_ended', status: 'completed' }])
  await Array.fromAsync(runs.entries(runId))
  await expect(runs.append(randomUUID(), 1, [{ v: 1, type: 'x' }])).rejects.toMatchObject({ code: 'not_found' })
  const { items } = await audit.getLogs({ runId, kind: 'outcome', order: 'oldest' })
  expect(items.map(({ action, subject, code }) => [action, subject, code])).toEqual([
    ['run.write', 'run:begin', null],
    ['run.write', 'run:needs_approval', null],
    ['run.write', 'run:running', null],
    ['run.write', 'run:completed', null],
    ['run.read', null, null],
  ])
  expect(items[0]).toMatchObject({ machineId: world.machine.id, agentType: 'terminal', model: 'scripted:scripted' })
})

test('a run whose row cannot be written does not begin and does not end', async () => {
  const about = { agentType: 'terminal', model: 'scripted:scripted', title: 'Look', machineId: world.machine.id }
  const [one, other] = [randomUUID(), randomUUID()]
  const entry = { v: 1, type: 'run_started' } as const
  await world.client.runs.create({ ...about, runId: one, entry })
  using database = new DatabaseSync(join(world.relay.dataDir, 'relay.sqlite'))
  database.exec(`create trigger full before insert on audit begin select raise(abort, 'disk is full'); end`)
  const refused = { code: 'unavailable' }
  await expect(world.client.runs.create({ ...about, runId: other, entry })).rejects.toMatchObject(refused)
  const ended = world.client.runs.append(one, 1, [{ v: 1, type: 'run_ended', status: 'completed' }])
  await expect(ended).rejects.toMatchObject(refused)
  database.exec('drop trigger full')
  expect(await world.client.runs.get(one)).toMatchObject({ state: 'running' })
  await expect(world.client.runs.get(other)).rejects.toMatchObject({ code: 'not_found' })
})
