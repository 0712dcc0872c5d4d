import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { CmdopError, machineKeyText, MachineKeyRotated } from '@cmdop/protocol'
import { type MachineState, readMachineState, writeMachineState } from './machine-state.ts'
import { MachineRequests } from './recordings/machine-requests.ts'

/**
 * Gives an enrolled machine another key, while its daemon runs or not. Each step is kept before the next begins, and the
 * relay takes the old key until the new one was used once: whoever dies in between, the machine stays enrolled, and doing
 * this again ends it. Gives the fingerprint of the new key. Throws `config`, `quarantined`, `connection`.
 */
export async function rotateMachineKey(dataDir: string, signal: AbortSignal): Promise<string> {
  const state = await readMachineState(dataDir)
  if (state === undefined)
    throw new CmdopError('config', `${dataDir} holds no enrolled machine; run first: cmdop machine enroll.`)
  const nextPrivateKey = state.nextPrivateKey ?? newPrivateKey()
  await writeMachineState(dataDir, { ...state, nextPrivateKey })
  await post(state, { path: 'key', body: proposal(state, nextPrivateKey) }, signal)
  const { nextPrivateKey: _, ...kept } = state
  const rotated = { ...kept, privateKey: nextPrivateKey }
  await writeMachineState(dataDir, rotated)
  return await post(rotated, { path: 'key/confirm', body: {} }, signal)
}

function newPrivateKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function proposal({ relayId, machineId }: MachineState, privateKey: string) {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
  const text = machineKeyText({ relayId, machineId, publicKey })
  const signature = sign(null, Buffer.from(text), createPrivateKey(privateKey)).toString('base64url')
  return { public_key: publicKey, signature }
}

async function post(
  state: MachineState,
  { path, body }: { path: string; body: unknown },
  signal: AbortSignal,
): Promise<string> {
  const key = createPrivateKey(state.privateKey)
  const requests = new MachineRequests(state, { current: () => key })
  try {
    const answer = await requests.send(
      {
        method: 'POST',
        path: `/api/machines/${state.machineId}/${path}`,
        body: Buffer.from(JSON.stringify(body)),
        type: 'application/json',
      },
      signal,
    )
    return MachineKeyRotated.parse(answer).public_key_fingerprint
  } finally {
    requests.close()
  }
}
