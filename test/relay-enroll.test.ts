import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { enrollMachine, startMachine } from '@cmdop/machine'
import { EnrollResponse } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
})
afterAll(() => world[Symbol.asyncDispose]())

const issue = (options = {}) => world.client.enrollmentTokens.issue(options)
const enroll = async (token: string, name: string) =>
  enrollMachine({ relayUrl: world.relay.url, token, dataDir: await world.folder(), name })

describe('an enrolment token', () => {
  test('lets one machine in, whose key never leaves it', async () => {
    const { rawToken: token } = await issue()
    const dataDir = await world.folder()
    const state = await enrollMachine({ relayUrl: `${world.relay.url}/`, token, dataDir, name: 'first' })
    expect(state).toMatchObject({ name: 'first', relayId: world.relay.relayId, relayUrl: world.relay.url })
    expect((await stat(join(dataDir, 'machine.json'))).mode & 0o777).toBe(0o600)
    expect(await world.client.machine('first')).toMatchObject({ id: state.machineId })
    const der = createPublicKey(state.privateKey).export({ type: 'spki', format: 'der' })
    const fingerprint = createHash('sha256').update(der).digest('hex')
    expect(await world.client.machines.get(state.machineId)).toMatchObject({ publicKeyFingerprint: fingerprint })
    await expect(enroll(token, 'second')).rejects.toMatchObject({ code: 'auth' })
    await expect(world.client.machine('second')).rejects.toMatchObject({ code: 'not_found' })
  })

  test('lets as many in as it says, also when they come at once', async () => {
    const { rawToken: token } = await issue({ maxUses: 3 })
    const names = Array.from({ length: 12 }, (_, index) => `crowd-${index}`)
    const results = await Promise.allSettled(names.map((name) => enroll(token, name)))
    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused).toHaveLength(9)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'auth' })
    expect((await world.client.machines.list({ q: 'crowd-' })).items).toHaveLength(3)
  })

  test('that has expired lets nobody in', async () => {
    const { rawToken: token, expiresAt } = await issue({ expiresInSeconds: 1 })
    while (Date.now() <= Date.parse(expiresAt)) await new Promise((resolve) => setTimeout(resolve, 20))
    await expect(enroll(token, 'late')).rejects.toMatchObject({ code: 'auth' })
  })

  test('that is wrong, or a key, lets nobody in', async () => {
    const { rawToken: token } = await issue()
    const wrong = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`
    for (const shown of [wrong, '', 'x', world.relay.firstKey]) {
      await expect(enroll(shown, 'nobody')).rejects.toMatchObject({ code: 'auth' })
    }
    // The wrong ones did not use it up.
    await expect(enroll(token, 'somebody')).resolves.toMatchObject({ name: 'somebody' })
  })

  test('is not used up by a name that is taken', async () => {
    const { rawToken: token } = await issue()
    await expect(enroll(token, 'somebody')).rejects.toMatchObject({ code: 'conflict' })
    await expect(enroll(token, 'somebody else')).resolves.toMatchObject({ name: 'somebody else' })
  })
})

test('a folder that is enrolled is not enrolled again', async () => {
  const dataDir = await world.folder()
  const { rawToken: token } = await issue({ maxUses: 2 })
  await enrollMachine({ relayUrl: world.relay.url, token, dataDir, name: 'once' })
  await expect(enrollMachine({ relayUrl: world.relay.url, token, dataDir, name: 'twice' })).rejects.toMatchObject({
    code: 'conflict',
  })
})

test('a relay that is not there is `connection`, and something else at its address too', async () => {
  const dataDir = await world.folder()
  const token = 'x'
  for (const relayUrl of ['http://127.0.0.1:9', `${world.relay.url}/elsewhere`]) {
    const enrolling = enrollMachine({ relayUrl, token, dataDir, name: 'n' })
    await expect(enrolling).rejects.toMatchObject({ code: expect.stringMatching(/^(connection|not_found)$/) })
  }
})

test('a public key that is no Ed25519 key, or is a private one, is refused', async () => {
  const { rawToken: token } = await issue()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const own = generateKeyPairSync('ed25519')
  const keys = [
    rsa.publicKey.export({ type: 'spki', format: 'pem' }),
    own.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    'no key at all',
  ]
  const send = (public_key: unknown) =>
    fetch(`${world.relay.url}/api/enroll`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, public_key, hostname: 'h', os: 'linux', architecture: 'x64', agent_version: '1' }),
    })
  for (const key of keys) expect((await send(key)).status).toBe(422)
  const answer = await send(own.publicKey.export({ type: 'spki', format: 'pem' }))
  expect(EnrollResponse.parse(await answer.json())).toMatchObject({ name: 'h' })
})

test('a folder that is not enrolled has no daemon, and says what to run', async () => {
  await expect(startMachine({ dataDir: await world.folder(), logLevel: 'silent' })).rejects.toMatchObject({
    code: 'config',
    message: expect.stringContaining('cmdop machine enroll'),
  })
})
