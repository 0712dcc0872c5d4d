import { createHash, randomUUID, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  canonicalJson,
  formatMachineRequest,
  machineRequestText,
  NO_AUDIT_HASH,
  type RecordingSubject,
  recordingIdOf,
} from '@cmdop/protocol'
import type { Store } from '@cmdop/relay'
import type { World, WorldMachine } from './world.ts'

/** A request as a machine sends it; `change` makes it another one after it was signed. */
export interface SignedRequest {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly timestamp?: number
  readonly change?: { readonly path?: string; readonly body?: Uint8Array; readonly machineId?: string }
}

/** What a request carries that is signed with a machine's key. */
export interface ToSign {
  readonly method: string
  readonly path: string
  readonly body: Uint8Array
  readonly timestamp?: number
  /** Said to be of this machine. Default: the one whose key it is. */
  readonly as?: string | undefined
}

/** Signs requests with the key of this machine: gives their `authorization`. */
export async function signerOf(machine: WorldMachine): Promise<(request: ToSign) => string> {
  const state = JSON.parse(await readFile(join(machine.dataDir, 'machine.json'), 'utf8')) as Record<string, string>
  const { relayId = '', machineId = '', privateKey = '' } = state
  return ({ method, path, body, timestamp = Date.now(), as = machineId }) => {
    const bodySha256 = createHash('sha256').update(body).digest('hex')
    const text = machineRequestText({ relayId, machineId, timestamp, method, path, bodySha256 })
    const signature = sign(null, Buffer.from(text), privateKey).toString('base64url')
    return formatMachineRequest({ machineId: as, timestamp, signature })
  }
}

/** Sends requests with the key of this machine. Bytes go as they are, everything else as JSON. */
export async function signedBy(world: World, machine: WorldMachine) {
  const signed = await signerOf(machine)
  return async ({ method, path, body, timestamp = Date.now(), change = {} }: SignedRequest) => {
    const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body ?? {}))
    const authorization = signed({ method, path, body: bytes, timestamp, as: change.machineId })
    const type = body instanceof Uint8Array ? 'application/octet-stream' : 'application/json'
    const answer = await fetch(`${world.relay.url}${change.path ?? path}`, {
      method,
      headers: { authorization, 'content-type': type },
      body: (change.body ?? bytes) as Uint8Array<ArrayBuffer>,
    })
    return { status: answer.status, json: (await answer.json()) as { storedBytes: number; error: { code: string } } }
  }
}

/** What a machine may record: the store says that it was permitted, though nothing ran. */
export async function permittedSubject(store: Store, machineId: string): Promise<RecordingSubject> {
  const machine = await store.machines.get(machineId)
  const fleetId = machine?.fleetId ?? ''
  const at = new Date().toISOString()
  const id = randomUUID().replaceAll('-', '')
  const callId = `call_${id}`
  const principalId = 'prn_test'
  const row = { id: `aud_${id}`, kind: 'intent', at, action: 'exec', decision: 'allow', principalId, machineId, callId }
  const place = { fleetId, chain: `test-${id}`, sequence: 1 }
  const body = canonicalJson({ ...place, previous: NO_AUDIT_HASH, row, version: 1 })
  await store.audit.append([{ ...place, body }])
  return {
    recordingId: recordingIdOf(`aud_${id}`),
    kind: 'exec',
    subjectId: callId,
    machineId,
    fleetId,
    principalId,
    principalKind: 'human',
    principalName: 'Ada',
    onBehalfOf: null,
    intentId: `aud_${id}`,
    title: 'true',
    reason: null,
    startedAt: at,
  }
}
