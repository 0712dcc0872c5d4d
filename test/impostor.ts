import { createPrivateKey, sign } from 'node:crypto'
import { readMachineState } from '@cmdop/machine'
import {
  askLanes,
  type Channel,
  CHANNEL_SUBPROTOCOL,
  Connection,
  createEmitterTransport,
  type Hello,
  JournalRequest,
  jsonLine,
  machineProofText,
  PermitRequest,
  type Transport,
} from '@cmdop/protocol'
import type { z } from 'zod'
import { WebSocket } from 'ws'
import type { World } from './world.ts'

/** What the operator of a machine may say in an ask. Each resolves with the answer of the relay, as text. */
export interface ImpostorAsk {
  askPermit(request: z.input<typeof PermitRequest>): Promise<string>
  writeRun(request: z.input<typeof JournalRequest>): Promise<string>
}

/** Takes the place of the world's machine, with its key, and does in every ask whatever `act` says. */
export async function startImpostor(
  world: World,
  act: (ask: ImpostorAsk) => Promise<unknown>,
): Promise<AsyncDisposable> {
  const { id: machineId, dataDir } = world.machine
  await world.machine.close()
  const key = createPrivateKey((await readMachineState(dataDir))?.privateKey ?? '')
  const hello = (peer: Hello | undefined): Omit<Hello, 'version'> => {
    const proof = { machineId, instanceId: 'impostor', relayId: peer?.relayId ?? '', challenge: peer?.challenge ?? '' }
    const signature = sign(null, Buffer.from(machineProofText(proof)), key).toString('base64url')
    const about = { hostname: 'h', os: 'linux', architecture: 'x64', agentVersion: '0' }
    return { machine: { machineId, instanceId: 'impostor', signature, ...about } }
  }
  const connection = new Connection(await dial(world.relay.url), {
    role: 'dialer',
    hello,
    onChannel: (channel) => {
      channel.accept()
      answerAsk(channel, act).catch(() => {})
    },
  })
  await connection.ready
  await world.whenOnline(world.machine)
  return connection
}

async function answerAsk(channel: Channel, act: (ask: ImpostorAsk) => Promise<unknown>): Promise<void> {
  const said = channel[Symbol.asyncIterator]()
  const askOn = async (lane: number, request: object) => {
    await channel.send(lane, jsonLine(request))
    const { value } = await said.next()
    return Buffer.from(value?.data ?? []).toString()
  }
  await act({
    askPermit: (request) => askOn(askLanes.permits, PermitRequest.parse(request)),
    writeRun: (request) => askOn(askLanes.journal, JournalRequest.parse(request)),
  })
  await channel.end()
}

function dial(url: string): Promise<Transport> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/channel?role=machine`, [CHANNEL_SUBPROTOCOL])
  // In the event itself: the relay's hello may come with the answer to the upgrade.
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(createEmitterTransport(socket)))
    socket.once('error', reject)
  })
}
