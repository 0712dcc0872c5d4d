import { generateKeyPairSync } from 'node:crypto'
import { hostname } from 'node:os'
import { CmdopError, EnrollResponse, ErrorBody, fromWireError, type Labels } from '@cmdop/protocol'
import { type MachineState, readMachineState, writeMachineState } from './machine-state.ts'
import { MACHINE_VERSION } from './version.ts'

/** Milliseconds in which the relay must answer an enrolment. */
const ENROLL_TIMEOUT_MS = 30_000

export interface EnrollOptions {
  /** Address of the relay: `https://relay.example`. */
  relayUrl: string
  /** The one-time token that an admin issued. */
  token: string
  /** Folder for key and state. */
  dataDir: string
  /** Unique in the fleet. Default: the hostname. */
  name?: string
  /** Of this machine, where the token says nothing of them. */
  labels?: Labels
  /** Send the token over plain http to another host, where anybody on the way can take it. Default: refused. */
  allowInsecure?: boolean
}

/**
 * Makes this machine's key, gives the public half to the relay for the token, and pins the relay's key.
 * Throws `conflict` when the folder holds an enrolled machine, `auth` for a bad token, `connection` without a relay.
 */
export async function enrollMachine(options: EnrollOptions): Promise<MachineState> {
  const known = await readMachineState(options.dataDir)
  if (known !== undefined) {
    throw new CmdopError(
      'conflict',
      `${options.dataDir} is already enrolled as ${known.name} (${known.machineId}); use another folder.`,
    )
  }
  const relayUrl = parseRelayUrl(options.relayUrl, options.allowInsecure ?? false)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const answer = await post(`${relayUrl}/api/enroll`, {
    token: options.token,
    public_key: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    hostname: hostname(),
    ...(options.name === undefined ? {} : { name: options.name }),
    os: process.platform,
    architecture: process.arch,
    agent_version: MACHINE_VERSION,
    ...(options.labels === undefined ? {} : { labels: options.labels }),
  })
  const state: MachineState = {
    version: 1,
    machineId: answer.machine_id,
    fleetId: answer.fleet_id,
    name: answer.name,
    relayUrl,
    relayId: answer.relay_id,
    relayPublicKey: answer.relay_public_key,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
  await writeMachineState(options.dataDir, state)
  return state
}

function parseRelayUrl(text: string, allowInsecure: boolean): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw new CmdopError('config', 'Expected the address of the relay to be an http or https address.')
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !allowInsecure) {
    throw new CmdopError(
      'config',
      `The token would travel to ${url.host} in the clear, and a wrong relay could be pinned. Use https, or say --insecure.`,
    )
  }
  return url.href.replace(/\/+$/, '')
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

async function post(url: string, body: unknown): Promise<EnrollResponse> {
  const answer = await send(url, body)
  const json: unknown = await answer.json().catch(() => undefined)
  if (answer.ok) return EnrollResponse.parse(json)
  const error = ErrorBody.safeParse(json)
  if (error.success) throw fromWireError(error.data.error, { idempotent: false })
  throw new CmdopError('connection', `${new URL(url).origin} does not answer like a relay (HTTP ${answer.status}).`)
}

async function send(url: string, body: unknown): Promise<Response> {
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ENROLL_TIMEOUT_MS),
      redirect: 'error',
    })
  } catch (cause) {
    throw new CmdopError('connection', `The relay at ${url} cannot be reached; check its address.`, { cause })
  }
}
