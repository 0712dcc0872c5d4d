import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  CHANNEL_SUBPROTOCOL,
  decodeFrame,
  decodeJson,
  encodeFrame,
  encodeJson,
  EnrollResponse,
  frameTypes,
  Hello,
  machineProofText,
  PROTOCOL_VERSION,
} from '@cmdop/protocol'
import { WebSocket } from 'ws'

/** An enrolled machine with a key of its own, which answers but does nothing. */
export interface IdleMachine {
  readonly id: string
  readonly relayId: string
  readonly key: KeyObject
}

/** Enrols a machine as the daemon does. */
export async function enrollIdleMachine(relayUrl: string, token: string, name: string): Promise<IdleMachine> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const answer = await fetch(`${relayUrl}/api/enroll`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      token,
      public_key: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      hostname: name,
      ...identity,
      agent_version: identity.agentVersion,
      agentVersion: undefined,
    }),
  })
  const { machine_id, relay_id } = EnrollResponse.parse(await answer.json())
  return { id: machine_id, relayId: relay_id, key: privateKey }
}

/** Connects, proves the machine, and answers pings from then on. Resolves after the proof was sent. */
export function connectIdleMachine(relayUrl: string, machine: IdleMachine, name: string): Promise<WebSocket> {
  const url = `${relayUrl.replace(/^http/, 'ws')}/api/channel?role=machine`
  const socket = new WebSocket(url, [CHANNEL_SUBPROTOCOL], { perMessageDeflate: false })
  const proven = Promise.withResolvers<WebSocket>()
  socket.on('error', proven.reject)
  socket.on('close', (code, reason) => proven.reject(new Error(`The relay closed: ${code} ${reason.toString()}`)))
  socket.on('message', (message: Buffer) => {
    const frame = decodeFrame(message)
    if (frame.type === frameTypes.ping) socket.send(encodeFrame(frameTypes.pong, 0, frame.payload))
    if (frame.type !== frameTypes.hello) return
    socket.send(answerHello(Hello.parse(decodeJson(frame.payload)), machine, name))
    proven.resolve(socket)
  })
  return proven.promise
}

const identity = { os: 'linux', architecture: 'x64', agentVersion: '0.1.0' }

function answerHello({ challenge = '' }: Hello, machine: IdleMachine, name: string): Uint8Array {
  return encodeJson(frameTypes.hello, 0, {
    version: PROTOCOL_VERSION,
    ...proofOf(challenge, machine, name),
  } satisfies Hello)
}

/** The hello of a machine that proves itself. */
export function proofOf(challenge: string, { id, relayId, key }: IdleMachine, name: string): Pick<Hello, 'machine'> {
  const instanceId = `idle-${id}`
  const text = machineProofText({ relayId, machineId: id, instanceId, challenge })
  const signature = sign(null, Buffer.from(text), key).toString('base64url')
  return { machine: { machineId: id, instanceId, signature, hostname: name, ...identity } }
}
