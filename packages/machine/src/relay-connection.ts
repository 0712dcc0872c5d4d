import { sign } from 'node:crypto'
import type { Socket } from 'node:net'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Channel,
  CHANNEL_SUBPROTOCOL,
  CmdopError,
  Connection,
  createEmitterTransport,
  fleetMovedTo,
  type Hello,
  isUnseen,
  type Labels,
  type MachineDescription,
  MAX_FRAME_BYTES,
  machineProofText,
  toCmdopError,
  type Transport,
} from '@cmdop/protocol'
import type { Logger } from 'pino'
import { WebSocket } from 'ws'
import type { MachineKey } from './machine-key.ts'
import type { MachineState } from './machine-state.ts'
import { MACHINE_VERSION } from './version.ts'

/** Bounds of the wait before connecting again, in milliseconds: a random time up to a bound that doubles. */
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 15_000

/** A connection that lasted this long starts the wait anew, in milliseconds. */
const STABLE_AFTER_MS = 10_000

/** Bound of the wait while the relay lets nobody in with this key, in milliseconds: a person has to look. */
const QUARANTINE_WAIT_MS = 60_000

const CONNECT_TIMEOUT_MS = 10_000

export interface RelayConnectionOptions {
  /** Its `fleetId` is set to where the machine is now. */
  readonly state: MachineState
  readonly key: Pick<MachineKey, 'current'>
  /** Of this start of the daemon. */
  readonly instanceId: string
  /** Of this daemon's configuration. */
  readonly labels: Labels
  /** What this machine is. */
  readonly description: MachineDescription
  readonly log: Logger
  readonly serve: (channel: Channel) => void
  /** The relay says that this machine is disabled, or in another fleet: all that runs here ends. */
  endAll(): Promise<void>
  /** The relay's clock. */
  synchronise(relayTime: number): void
}

/** Keeps one connection to the relay until the signal aborts; each loss is followed by a wait with full jitter. */
export async function keepConnected(options: RelayConnectionOptions, signal: AbortSignal): Promise<void> {
  let bound = FIRST_WAIT_MS
  while (!signal.aborted) {
    const startedAt = Date.now()
    const error = await connectOnce(options, signal).catch((cause: unknown) =>
      toCmdopError(cause, 'connection', 'The relay cannot be reached.'),
    )
    if (signal.aborted) return
    const isMoved = (error.code === 'disabled' || error.code === 'moved') && (await leave(options, error))
    bound = isMoved || Date.now() - startedAt >= STABLE_AFTER_MS ? FIRST_WAIT_MS : Math.min(bound * 2, LONGEST_WAIT_MS)
    const isQuarantined = error.code === 'quarantined'
    const waitMs = Math.round((isQuarantined ? QUARANTINE_WAIT_MS : bound) * Math.random())
    if (isQuarantined) options.log.error({ err: error, waitMs }, 'this machine is in quarantine')
    else options.log.warn({ err: error, waitMs }, 'not connected to the relay')
    await sleep(waitMs, undefined, { signal }).catch(() => {})
  }
}

/** Nothing of one fleet runs on when the machine comes as one of another: until all has ended, it stays what it was. True: it is. */
async function leave(options: RelayConnectionOptions, error: CmdopError): Promise<boolean> {
  const { state, log } = options
  const fleetId = fleetMovedTo(error) ?? state.fleetId
  try {
    await options.endAll()
    const isMoved = fleetId !== state.fleetId
    state.fleetId = fleetId
    return isMoved
  } catch (err) {
    log.error({ err }, 'what runs here could not be ended')
    return false
  }
}

/** Connects, serves until the connection ends, and resolves with why. */
async function connectOnce(options: RelayConnectionOptions, signal: AbortSignal): Promise<CmdopError> {
  const transport = await openTransport(channelUrl(options.state.relayUrl), signal)
  const connection = new Connection(transport, {
    role: 'dialer',
    hello: (peer) => answerChallenge(options, peer),
    onChannel: options.serve,
  })
  const stop = () => connection.close()
  signal.addEventListener('abort', stop, { once: true })
  connection.ready.then(
    (hello) => {
      options.synchronise(hello.time ?? Date.now())
      options.log.info({ relay: options.state.relayUrl }, 'connected to the relay')
    },
    () => {},
  )
  const error = await connection.closed
  signal.removeEventListener('abort', stop)
  return error
}

function answerChallenge(options: RelayConnectionOptions, peer: Hello | undefined): Omit<Hello, 'version'> {
  const { machineId, fleetId, relayId } = options.state
  if (peer?.challenge === undefined || peer.relayId !== relayId) {
    throw new CmdopError(
      'auth',
      `Expected the relay ${relayId} that this machine enrolled at, got ${peer?.relayId ?? 'none'}.`,
    )
  }
  const { instanceId, labels, description } = options
  const text = machineProofText({ relayId, machineId, instanceId, challenge: peer.challenge })
  return {
    machine: {
      machineId,
      instanceId,
      signature: sign(null, Buffer.from(text), options.key.current()).toString('base64url'),
      hostname: hostname(),
      os: process.platform,
      architecture: process.arch,
      agentVersion: MACHINE_VERSION,
      labels,
    },
    fleetId,
    description,
  }
}

function openTransport(url: URL, signal: AbortSignal): Promise<Transport> {
  const socket = new WebSocket(url, [CHANNEL_SUBPROTOCOL], {
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES + 1024,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    skipUTF8Validation: true,
    ...(isUnseen(url) ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
  })
  const opened = Promise.withResolvers<Transport>()
  const stop = () => socket.terminate()
  const forget = () => signal.removeEventListener('abort', stop)
  signal.addEventListener('abort', stop, { once: true })
  let stream: Socket | undefined
  socket.once('upgrade', (response) => (stream = response.socket))
  socket.once('open', () => {
    forget()
    opened.resolve(createEmitterTransport(socket, stream))
  })
  socket.on('error', (error) => {
    forget()
    opened.reject(error)
  })
  return opened.promise
}

function channelUrl(relayUrl: string): URL {
  const url = new URL(`${relayUrl}/api/channel?role=machine`)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url
}
