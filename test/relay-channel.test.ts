import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readMachineState } from '@cmdop/machine'
import {
  CHANNEL_SUBPROTOCOL,
  CmdopError,
  Connection,
  createEmitterTransport,
  encodeData,
  encodeFrame,
  encodeJson,
  type Frame,
  frameTypes,
  type Hello,
  Link,
  machineProofText,
  type Open,
  type Transport,
} from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

async function dial(query = ''): Promise<Transport> {
  const headers = { authorization: `Bearer ${world.relay.firstKey}` }
  const socket = new WebSocket(`${world.relay.url.replace('http', 'ws')}/api/channel${query}`, [CHANNEL_SUBPROTOCOL], {
    headers: query === '' ? headers : {},
  })
  // In the event itself: the relay's hello may come with the answer to the upgrade.
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(createEmitterTransport(socket)))
    socket.once('error', reject)
  })
}

const call = (change: Partial<Open> = {}): Omit<Open, 'window'> => ({
  method: 'exec',
  target: world.machine.id,
  params: { command: 'true' },
  callId: `call_${crypto.randomUUID()}`,
  ...change,
})

describe('a client of another make', () => {
  const connect = async () => {
    const connection = new Connection(await dial(), { role: 'dialer', hello: () => ({}) })
    await connection.ready
    return connection
  }

  test('that brings a permit of its own is refused with `validation`', async () => {
    await using connection = await connect()
    const channel = connection.open(call({ permit: { body: '{}', signature: '' } }))
    await expect(channel.accepted).rejects.toMatchObject({ code: 'validation' })
  })

  test('that asks for a method nobody knows is refused with `unsupported`, and both are rows', async () => {
    await using connection = await connect()
    for (const method of ['reboot', 'toString', '__proto__']) {
      await expect(connection.open(call({ method })).accepted).rejects.toMatchObject({ code: 'unsupported' })
    }
    const store = await world.openStore()
    const { fleetId } = await world.client.me()
    const rows = await store.audit.list(fleetId, { limit: 100 })
    const denied = rows.filter(({ row }) => row.decision === 'deny').map(({ row }) => `${row.action} ${row.code}`)
    expect(denied).toEqual(['exec validation', 'reboot unsupported', 'toString unsupported', '__proto__ unsupported'])
  })

  test('that gives a call id which would lead out of a folder is refused', async () => {
    await using connection = await connect()
    for (const callId of ['../../../etc/x', 'short', 'with space', 'x'.repeat(65)]) {
      await expect(connection.open(call({ callId })).accepted).rejects.toMatchObject({ code: 'validation' })
    }
  })

  test('that sends before anything was granted loses its channel, and only that', async () => {
    const peer = await rawPeer()
    peer.link.send(encodeJson(frameTypes.open, 1, { ...call(), window: 65_536 }))
    peer.link.send(encodeData(1, 1, new Uint8Array(1000)))
    expect((await peer.next(frameTypes.reset)).channel).toBe(1)
    peer.link.send(encodeJson(frameTypes.open, 3, { ...call(), window: 65_536 }))
    expect((await peer.next(frameTypes.end)).channel).toBe(3)
    peer.link.close(new CmdopError('cancelled', 'The test is over.'))
  })

  test('whose parameters are nested beyond all reason is refused, and harms nobody', async () => {
    const peer = await rawPeer()
    const nested = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const open = JSON.stringify({ ...call({ params: { command: 'NESTED' } }), window: 65_536 })
    const payload = Buffer.from(open.replace('"NESTED"', nested))
    peer.link.send(encodeFrame(frameTypes.open, 1, payload))
    expect((await peer.next(frameTypes.reset)).channel).toBe(1)
    expect(await world.handle.exec('echo unharmed')).toMatchObject({ stdout: 'unharmed\n' })
    peer.link.close(new CmdopError('cancelled', 'The test is over.'))
  })

  test('that uses a channel nobody opened loses its connection, and only that', async () => {
    const peer = await rawPeer()
    peer.link.send(encodeData(7, 1, new Uint8Array(10)))
    expect(await peer.closed).toMatchObject({ code: 'protocol' })
    expect(await world.handle.exec('echo unharmed')).toMatchObject({ stdout: 'unharmed\n' })
  })
})

describe('a machine', () => {
  const proofWith =
    (key: KeyObject, change: Partial<NonNullable<Hello['machine']>> = {}, challenge?: string) =>
    (peer: Hello | undefined): Omit<Hello, 'version'> => {
      const { id: machineId } = world.machine
      const proof = {
        relayId: peer?.relayId ?? '',
        machineId: change.machineId ?? machineId,
        instanceId: 'test',
        challenge: challenge ?? peer?.challenge ?? '',
      }
      const signature = sign(null, Buffer.from(machineProofText(proof)), key).toString('base64url')
      const about = { hostname: 'h', os: 'linux', architecture: 'x64', agentVersion: '0' }
      return { machine: { machineId, instanceId: 'test', signature, ...about, ...change } }
    }
  const connectAs = async (hello: (peer: Hello | undefined) => Omit<Hello, 'version'>) =>
    new Connection(await dial('?role=machine'), { role: 'dialer', hello })

  test('that cannot prove its key is refused with `auth`, and does not touch the one that can', async () => {
    const { privateKey: foreign } = generateKeyPairSync('ed25519')
    const state = await readMachineState(world.machine.dataDir)
    const own = createPrivateKey(state?.privateKey ?? '')
    const attempts = [
      proofWith(foreign),
      proofWith(own, {}, 'a challenge of yesterday'),
      proofWith(own, { instanceId: 'another' }),
      proofWith(own, { machineId: 'mch_unknown' }),
      proofWith(own, { signature: '' }),
      () => ({}),
    ]
    for (const attempt of attempts) {
      const connection = await connectAs(attempt)
      expect(await connection.closed).toMatchObject({ code: 'auth' })
    }
    expect(await world.handle.exec('echo still me')).toMatchObject({ stdout: 'still me\n' })
  })

  test('that can prove it and is another start than the one that is alive puts both in quarantine, until it is released', async () => {
    const state = await readMachineState(world.machine.dataDir)
    const own = createPrivateKey(state?.privateKey ?? '')
    const connection = await connectAs(proofWith(own))
    expect(await connection.closed).toMatchObject({ code: 'quarantined' })
    await expect(world.handle.exec('true')).rejects.toMatchObject({ code: 'quarantined' })
    expect(await (await connectAs(proofWith(own))).closed).toMatchObject({ code: 'quarantined' })
    await world.client.machines.release(world.machine.id)
    await world.machine.restart()
    await world.whenOnline(world.machine)
    expect((await world.handle.exec('true')).exitCode).toBe(0)
  })

  test('that is the same start takes the place of its former connection', async () => {
    const other = await world.addMachine('moves')
    const state = await readMachineState(other.dataDir)
    await other.close()
    await waitFor('it is gone', async () => (await world.client.machines.get(other.id)).presence !== 'online')
    const own = createPrivateKey(state?.privateKey ?? '')
    const as = { machineId: other.id }
    const [first, second] = [await connectAs(proofWith(own, as)), await connectAs(proofWith(own, as))]
    expect(await first.closed).toMatchObject({ code: 'connection' })
    expect((await world.client.machines.get(other.id)).quarantinedAt).toBeNull()
    second.close()
  })

  test('may open no channel', async () => {
    const connection = await connectAs(() => ({}))
    await connection.ready
    const channel = connection.open(call())
    await expect(channel.accepted).rejects.toMatchObject({ code: expect.stringMatching(/^(permission|auth)$/) })
    await connection.closed
  })
})

/** A client that says just the frames it is told to. */
async function rawPeer(): Promise<{ link: Link; closed: Promise<CmdopError>; next(type: number): Promise<Frame> }> {
  const frames: Frame[] = []
  const ready = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<CmdopError>()
  const link: Link = new Link(await dial(), {
    hello: () => {
      link.sendHello({})
      ready.resolve()
    },
    frame: (frame) => frames.push(frame),
    closed: closed.resolve,
  })
  await ready.promise
  const next = (type: number) => waitFor(`a frame ${type} comes`, () => frames.find((frame) => frame.type === type))
  return { link, closed: closed.promise, next }
}
