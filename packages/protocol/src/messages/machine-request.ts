/** Scheme of the Authorization header with which a machine signs an HTTP request. */
export const MACHINE_REQUEST_SCHEME = 'CMDOP-Machine'

/** Milliseconds between the time of a request and the relay's clock at most. What machines send may be sent twice. */
export const MACHINE_REQUEST_WITHIN_MS = 300_000

/** What a machine signs of an HTTP request, and the signature. */
export interface MachineRequest {
  readonly machineId: string
  /** Milliseconds since 1970 by the relay's clock, as its `date` header says it. */
  readonly timestamp: number
  /** Ed25519 signature of {@link machineRequestText}, base64url. */
  readonly signature: string
}

/** The text that a machine signs (UTF-8): bound to relay, machine, time, and the whole request. */
export function machineRequestText(request: {
  relayId: string
  machineId: string
  timestamp: number
  method: string
  /** With its query: `/api/recordings/rec_x/content?offset=0`. */
  path: string
  /** SHA-256 of the body, hex. */
  bodySha256: string
}): string {
  const { relayId, machineId, timestamp, method, path, bodySha256 } = request
  return ['cmdop-machine-request-v1', relayId, machineId, timestamp, method, path, bodySha256].join('\n')
}

/** The value of the Authorization header. */
export function formatMachineRequest({ machineId, timestamp, signature }: MachineRequest): string {
  return `${MACHINE_REQUEST_SCHEME} ${machineId} ${timestamp} ${signature}`
}

/** Of the value of an Authorization header; undefined when it is no machine's. */
export function parseMachineRequest(header: string): MachineRequest | undefined {
  const [, machineId, timestamp, signature] = HEADER.exec(header) ?? []
  if (machineId === undefined || timestamp === undefined || signature === undefined) return undefined
  return { machineId, timestamp: Number(timestamp), signature }
}

const HEADER = new RegExp(String.raw`^${MACHINE_REQUEST_SCHEME} ([\w-]{1,64}) (\d{1,15}) ([\w-]{1,128})$`)

/** The text that the new key of a machine signs (UTF-8) when it takes the place of the old one. */
export function machineKeyText(key: { relayId: string; machineId: string; publicKey: string }): string {
  return ['cmdop-machine-key-v1', key.relayId, key.machineId, key.publicKey].join('\n')
}
