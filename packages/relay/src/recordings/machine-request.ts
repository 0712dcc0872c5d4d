import { createHash, createPublicKey, verify } from 'node:crypto'
import { CmdopError, MACHINE_REQUEST_WITHIN_MS, machineRequestText, parseMachineRequest } from '@cmdop/protocol'
import type { MachineRow, Store } from '../store/store.ts'

/** What a machine signed. */
export interface SignedRequest {
  readonly method: string
  /** With its query. */
  readonly url: string
  readonly authorization: string | undefined
  readonly body: Uint8Array
}

/** The machine that signed a request, with the key that it enrolled. Throws `auth`. */
export async function authenticateMachine(
  { store, relayId }: { store: Store; relayId: string },
  request: SignedRequest,
): Promise<MachineRow> {
  const proof = parseMachineRequest(request.authorization ?? '')
  const machine = proof === undefined ? undefined : await store.machines.get(proof.machineId)
  if (proof === undefined || machine === undefined) throw refused('is of no machine of this relay')
  const { machineId, timestamp } = proof
  const bodySha256 = createHash('sha256').update(request.body).digest('hex')
  const text = machineRequestText({
    relayId,
    machineId,
    timestamp,
    method: request.method,
    path: request.url,
    bodySha256,
  })
  const key = createPublicKey(machine.publicKey)
  if (!verify(null, Buffer.from(text), key, Buffer.from(proof.signature, 'base64url')))
    throw refused('is not what the machine signed')
  if (Math.abs(Date.now() - timestamp) > MACHINE_REQUEST_WITHIN_MS)
    throw refused('is of another time than the relay has')
  if (machine.disabledAt !== null) throw refused('is of a disabled machine')
  return machine
}

function refused(why: string): CmdopError {
  return new CmdopError('auth', `The request ${why}.`)
}
