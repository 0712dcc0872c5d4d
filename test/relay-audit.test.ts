import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Store } from '@cmdop/relay'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let store: Store
let fleetId = ''
beforeAll(async () => {
  world = await startWorld({ separateProcesses: true, relay: { logLevel: 'trace' } })
  store = await world.openStore()
  fleetId = (await world.client.me()).fleetId
})
afterAll(() => world[Symbol.asyncDispose]())

/** Intent and outcome of a call, once both are there. */
const rowsOf = (callId: string) =>
  waitFor('intent and outcome are written', async () => {
    const rows = (await store.audit.list(fleetId, { limit: 10, callId })).map(({ row }) => row)
    return rows.length >= 2 && rows
  })

test('a command has an intent before it runs, and an outcome with its exit code', async () => {
  const execution = world.handle.exec('cat; exit 3', { stdin: 'x' })
  await execution
  const [intent, outcome] = await rowsOf(execution.callId)
  const { principalId } = await world.client.me()
  expect(intent).toMatchObject({
    kind: 'intent',
    decision: 'allow',
    action: 'exec',
    principalId,
    machineId: world.machine.id,
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    exitCode: null,
  })
  expect(outcome).toMatchObject({
    kind: 'outcome',
    intentId: intent?.id,
    exitCode: 3,
    code: null,
    digest: intent?.digest,
  })
  expect(outcome?.durationMs).toBeGreaterThanOrEqual(0)
})

test('the intent is in the store before the command could act', async () => {
  // The command itself looks whether its intent is there: by its call id, in the files of the database.
  const execution = world.handle.exec('grep -c "${CMDOP_CALL#*:}" relay.sqlite-wal', { cwd: world.relay.dataDir })
  expect(Number((await execution).stdout)).toBeGreaterThan(0)
})

test('an outcome says how a command was ended', async () => {
  const execution = world.handle.exec('sleep 1000', { deadlineMs: 100 })
  await expect(execution).rejects.toMatchObject({ code: 'deadline' })
  expect((await rowsOf(execution.callId))[1]).toMatchObject({ code: 'deadline', exitCode: null })
  const missing = world.handle.exec(['no-such-program'])
  await expect(missing).rejects.toMatchObject({ code: 'command_not_found' })
  expect((await rowsOf(missing.callId))[1]).toMatchObject({ kind: 'outcome', code: 'command_not_found' })
})

test('a denied attempt is a row too', async () => {
  const { rawToken: token } = await world.client.keys.issue({ name: 'viewer', role: 'viewer' })
  const client = world.connect({ token })
  const { principalId } = await client.me()
  const execution = (await client.machine(world.machine.id)).exec('true')
  await expect(execution).rejects.toMatchObject({ code: 'permission', retryable: false })
  const rows = await store.audit.list(fleetId, { limit: 10, callId: execution.callId })
  expect(rows.map(({ row }) => row)).toMatchObject([
    { kind: 'intent', decision: 'deny', code: 'permission', principalId },
  ])
})

test('no key, token or ticket is in the database or the log', async () => {
  const issued = await world.client.keys.issue({ name: 'secret' })
  const enrollment = await world.client.enrollmentTokens.issue()
  const headers = { authorization: `Bearer ${world.relay.firstKey}` }
  const answer = await fetch(`${world.relay.url}/api/channel-tickets`, { method: 'POST', headers })
  const { ticket } = (await answer.json()) as { ticket: string }
  await fetch(`${world.relay.url}/api/me?token=${issued.rawToken}`)
  await fetch(`${world.relay.url}/api/nothing?ticket=${ticket}`)
  await fetch(`${world.relay.url}/api/enroll`, {
    method: 'POST',
    body: JSON.stringify({ token: enrollment.rawToken }),
  })
  await world.connect({ token: issued.rawToken }).me()
  await world
    .connect({ token: `${issued.rawToken.slice(0, -1)}-` })
    .me()
    .catch(() => {})

  await waitFor('the log has the last request', () => world.relay.stderr.includes('/api/nothing'))
  const entries = await readdir(world.relay.dataDir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const contents = await Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')))
  const whole = contents.join('\n')
  expect(whole).toContain(issued.id)
  for (const raw of [world.relay.firstKey, issued.rawToken, enrollment.rawToken, ticket]) {
    const secret = raw.slice(-43)
    expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(whole).not.toContain(secret)
    expect(world.relay.stderr).not.toContain(secret)
  }
})

test('commands, their output and their environment are not in the log of the relay', async () => {
  await world.handle.exec('echo $WORD-spoken', { env: { WORD: 'unspeakable' } })
  await fetch(`${world.relay.url}/api/after-it`)
  await waitFor('the log has a later request', () => world.relay.stderr.includes('/api/after-it'))
  expect(world.relay.stderr).not.toContain('unspeakable')
})
