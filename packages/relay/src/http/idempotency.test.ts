import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { type Relay, startRelay } from '../start-relay.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { callDigest, secretAnswers } from './idempotency.ts'
import { machinePrefixes } from './machine-prefixes.ts'

let relay: Relay
let dataDir: string
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cmdop-test-'))
  relay = await startRelay({ dataDir, port: 0, logLevel: 'silent' })
})
afterAll(async () => {
  await relay.close()
  await rm(dataDir, { recursive: true, force: true })
})

const Operation = z.looseObject({
  responses: z.record(z.string(), z.unknown()),
  security: z.array(z.record(z.string(), z.unknown())).optional(),
  parameters: z.array(z.looseObject({ name: z.string() })).default([]),
})
const Operations = z.record(z.string(), Operation)
const Document = z.looseObject({ paths: z.record(z.string(), Operations) })

test('every change whose answer has a secret is known for one', async () => {
  const { paths } = Document.parse(await (await fetch(`${relay.url}/api/openapi.json`)).json())
  const found = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([method, { responses }]) => method !== 'get' && hasSecret(responses))
      .map(([method]) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  )
  expect(found.toSorted()).toEqual([...secretAnswers].toSorted())
})

test('what nobody is signed in for, or a machine signs, offers no key and refuses one by name', async () => {
  const { paths } = Document.parse(await (await fetch(`${relay.url}/api/openapi.json`)).json())
  const changes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([method]) => method !== 'get')
      .map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, ...operation })),
  )
  const withoutCaller = changes.filter(({ security }) => security?.every((scheme) => 'machine' in scheme) === true)
  expect(withoutCaller.map(({ route }) => route)).toEqual(
    expect.arrayContaining(['POST /api/enroll', 'POST /api/login', 'POST /api/recordings']),
  )
  const offered = withoutCaller.filter(({ parameters }) => parameters.some(({ name }) => name === 'Idempotency-Key'))
  expect(offered.map(({ route }) => route)).toEqual([])
  const answer = await fetch(`${relay.url}/api/enroll`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'again' },
    body: JSON.stringify({
      token: 'x',
      public_key: 'x',
      hostname: 'x',
      os: 'linux',
      architecture: 'x64',
      agent_version: '1.0.0',
    }),
  })
  expect(await answer.json()).toMatchObject({
    error: { code: 'validation', message: expect.stringContaining('takes no Idempotency-Key') },
  })
})

test('what is under both prefixes of machines is the same under both, and takes a key under both or neither', async () => {
  const { paths } = Document.parse(await (await fetch(`${relay.url}/api/openapi.json`)).json())
  const [ours, theirs] = machinePrefixes
  const twice = Object.keys(paths)
    .filter((path) => path.startsWith(`${ours}/`) && theirs + path.slice(ours.length) in paths)
    .map((path) => path.slice(ours.length))
  expect(twice).toContain('/{machine}/ask')
  for (const path of twice) expect(paths[ours + path], path).toEqual(paths[theirs + path])
  for (const prefix of machinePrefixes)
    for (const act of ['ask', 'pin']) expect(await keyRefusedBy(`${prefix}/mch_none/${act}`)).toBe(true)
})

async function keyRefusedBy(path: string): Promise<boolean> {
  const bodies = { ask: { prompt: 'x' }, pin: { challenge_id: 'x', pin: '1234' } }
  const answer = await fetch(`${relay.url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${relay.firstKey}`,
      'content-type': 'application/json',
      'idempotency-key': 'again',
    },
    body: JSON.stringify(path.endsWith('/ask') ? bodies.ask : bodies.pin),
  })
  return (await answer.text()).includes('takes no Idempotency-Key')
}

function hasSecret(responses: Record<string, unknown>): boolean {
  const answers = Object.entries(responses).filter(([status]) => status.startsWith('2'))
  const text = JSON.stringify(answers)
  // A code that lets somebody in expires; any other is of an error.
  const isCode = /"properties":\{"code":\{[^{}]*\},"expires_at"/.test(text)
  return isCode || /"(?:raw_token|token|secret|ticket|password|otpauth_uri|link)":\{/.test(text)
}

test('a call whose relay ended under it is unknown, and is not done by sending it again', async () => {
  const authorization = `Bearer ${relay.firstKey}`
  const me = await fetch(`${relay.url}/api/me`, { headers: { authorization } })
  const { principal_id: principalId, fleet_id } = z
    .object({ principal_id: z.string(), fleet_id: z.string() })
    .parse(await me.json())
  const path = `/api/fleets/${fleet_id}/members`
  const body = { email: 'ann@example.org', role: 'member', groups: [] }
  await using store = await openSqliteStore({ file: join(dataDir, 'relay.sqlite') })
  const at = new Date(Date.now() - 600_000).toISOString()
  await store.idempotency.claim({
    principalId,
    key: 'begun',
    digest: callDigest(relay.firstKey, ['POST', path, body]),
    at,
  })
  const answer = await fetch(`${relay.url}${path}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', 'idempotency-key': 'begun' },
    body: JSON.stringify(body),
  })
  expect(await answer.json()).toMatchObject({ error: { code: 'unknown' } })
  expect((await store.principals.members(fleet_id, { offset: 0, limit: 10 })).total).toBe(1)
})
