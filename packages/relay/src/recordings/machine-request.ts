import { createHash } from 'node:crypto'
import { CmdopError, MACHINE_REQUEST_WITHIN_MS, machineRequestText, parseMachineRequest } from '@cmdop/protocol'
import { isSignedBy } from '../auth/machine-key.ts'
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
  // The time first: what is too old puts no key in force.
  if (Math.abs(Date.now() - timestamp) > MACHINE_REQUEST_WITHIN_MS)
    throw refused('is of another time than the relay has')
  if (!(await isSignedBy(store, machine, { text, signature: proof.signature })))
    throw refused('is not what the machine signed')
  const fleet = machine.disabledAt === null ? await store.fleets.get(machine.fleetId) : undefined
  if (fleet === undefined || fleet.disabledAt !== null) throw refused('is of a disabled machine')
  return machine
}

function refused(why: string): CmdopError {
  return new CmdopError('auth', `The request ${why}.`)
}
