import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rotateMachineKey } from '@cmdop/machine'
import { machineKeyText } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signedBy } from './signed-requests.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

interface State {
  readonly machineId: string
  readonly relayId: string
  readonly privateKey: string
  readonly nextPrivateKey?: string
}

const file = () => join(world.machine.dataDir, 'machine.json')
const read = async () => JSON.parse(await readFile(file(), 'utf8')) as State
const write = (state: State) => writeFile(file(), JSON.stringify(state))
const fingerprint = async () => (await world.client.machines.get(world.machine.id)).publicKeyFingerprint
const rotate = () => rotateMachineKey(world.machine.dataDir, AbortSignal.timeout(10_000))

/** Until the daemon has shown with whichever key it has that it is the machine. */
async function connectAgain(): Promise<void> {
  await world.machine.restart()
  await world.whenOnline(world.machine)
  expect((await world.handle.exec('echo here')).stdout).toBe('here\n')
}

/** What the relay is told first; the answer does not reach whoever is killed. */
async function propose({ machineId, relayId }: State, privateKey: string) {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const text = machineKeyText({ relayId, machineId, publicKey })
  const signature = sign(null, Buffer.from(text), privateKey).toString('base64url')
  const send = await signedBy(world, world.machine)
  const path = `/api/machines/${machineId}/key`
  return send({ method: 'POST', path, body: { public_key: publicKey, signature } })
}

function newKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

describe('the key of a machine', () => {
  test('is another one once it is rotated, without a restart of the daemon, and the old one is good for nothing', async () => {
    const before = await read()
    const old = await signedBy(world, world.machine)
    const running = world.handle.exec('sleep 0.2; echo on')
    const rotated = await rotate()
    expect(await fingerprint()).toBe(rotated)
    expect((await running).stdout).toBe('on\n')
    expect((await read()).privateKey).not.toBe(before.privateKey)
    const confirm = { method: 'POST', path: `/api/machines/${before.machineId}/key/confirm`, body: {} }
    expect((await old(confirm)).status).toBe(401)
    expect((await (await signedBy(world, world.machine))(confirm)).status).toBe(200)
    // The daemon has read it again when its connection is lost.
    await world.relay.restart()
    await world.whenOnline(world.machine)
    expect((await world.handle.exec('echo on')).stdout).toBe('on\n')
  })

  test('is the old one still when the rotation dies before the relay hears of it', async () => {
    const before = { print: await fingerprint(), state: await read() }
    const nextPrivateKey = newKey()
    await write({ ...before.state, nextPrivateKey })
    await connectAgain()
    expect(await fingerprint()).toBe(before.print)
    await rotate()
    expect(await read()).toEqual({ ...before.state, privateKey: nextPrivateKey })
    await connectAgain()
  })

  test('is the old one still when it dies after that', async () => {
    const before = { print: await fingerprint(), state: await read() }
    const nextPrivateKey = newKey()
    await write({ ...before.state, nextPrivateKey })
    expect((await propose(before.state, nextPrivateKey)).status).toBe(200)
    await connectAgain()
    expect(await fingerprint()).toBe(before.print)
    const rotated = await rotate()
    expect(await fingerprint()).toBe(rotated)
    await connectAgain()
  })

  test('is the new one when it dies before it was used', async () => {
    const before = { print: await fingerprint(), state: await read() }
    const nextPrivateKey = newKey()
    expect((await propose(before.state, nextPrivateKey)).status).toBe(200)
    await write({ ...before.state, privateKey: nextPrivateKey })
    await connectAgain()
    expect(await fingerprint()).not.toBe(before.print)
    await rotate()
    await connectAgain()
  })

  test('is nobody else’s to change', async () => {
    const state = await read()
    const other = await world.addMachine('other')
    const asOther = await signedBy(world, other)
    const body = { public_key: createPublicKey(newKey()).export({ type: 'spki', format: 'pem' }), signature: 'AA' }
    const path = `/api/machines/${state.machineId}/key`
    expect((await asOther({ method: 'POST', path, body })).status).toBe(404)
    // Nor is one taken that the machine does not have.
    expect((await (await signedBy(world, world.machine))({ method: 'POST', path, body })).status).toBe(401)
    const { url, firstKey } = world.relay
    const bearer = { method: 'POST', headers: { authorization: `Bearer ${firstKey}` } }
    expect((await fetch(`${url}${path}`, bearer)).status).toBe(401)
  })
})
