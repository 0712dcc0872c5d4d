import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Channel,
  Connection,
  createMemoryTransports,
  type Permit,
  SessionInfo,
  type SessionOpenParams,
  type Transport,
} from '@cmdop/protocol'
import { pino } from 'pino'
import { CallTable } from '../exec/call-table.ts'
import { createFileService } from '../files/file-handlers.ts'
import { PermitChecker } from '../permit-checker.ts'
import { Restricted, type RestrictedOptions } from '../restricted/restricted.ts'
import { RestrictedCommands } from '../restricted/restricted-commands.ts'
import { createFilePlaces } from '../restricted/session-file-places.ts'
import { createChannelServer } from '../serve-channel.ts'
import { nodePtyHost } from '../sessions/pty/node-pty.ts'
import { SessionTable } from '../sessions/session-table.ts'
import { createTestApprovals } from './test-approvals.ts'
import { createTestRecorder } from './test-recorder.ts'
import { TestParticipant } from './test-participant.ts'
import { createTestRelay } from './test-relay.ts'

/** Who calls. */
export type Caller = Partial<Pick<Permit, 'principalId' | 'principalKind' | 'principalName' | 'restrictions'>>

export interface CallOptions extends Caller {
  callId?: string
  deadlineMs?: number
  /** Another connection than the first one. */
  connection?: Connection
}

/** A daemon's session table behind real connections over memory, and what a client does with it. */
export interface SessionWorld extends AsyncDisposable {
  readonly folder: string
  readonly sessions: SessionTable
  readonly restricted: Restricted
  /** Of the daemon; nothing restricted sees it. */
  readonly dataDir: string
  /** Another table on the same folder, as a later daemon has it. */
  another(): SessionTable
  /** Another connection; with transports of another kind than memory, where given. */
  connect(transports?: readonly [Transport, Transport]): Promise<Connection>
  /** Opens a channel of a method. */
  call(method: string, params: Record<string, unknown>, options?: CallOptions): Channel
  /** Its one answer as JSON. */
  ask(method: string, params: Record<string, unknown>, options?: CallOptions): Promise<unknown>
  open(params?: Partial<SessionOpenParams>, options?: CallOptions): Promise<SessionInfo>
  attach(sessionId: string, params?: Record<string, unknown>, options?: CallOptions): Promise<TestParticipant>
  observe(sessionId: string, params?: Record<string, unknown>, options?: CallOptions): Promise<TestParticipant>
}

/** `environment` is that of the shells, beside PATH and a home; `maxPendingBytes` see `Restricted`. */
export async function startSessionWorld(
  environment: Record<string, string> = {},
  { maxPendingBytes }: Pick<RestrictedOptions, 'maxPendingBytes'> = {},
): Promise<SessionWorld> {
  await using opening = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-sessions-'))
  opening.defer(() => rm(folder, { recursive: true, force: true }))
  const relay = createTestRelay()
  const log = pino({ level: 'silent' })
  const recorder = createTestRecorder(folder)
  opening.defer(() => recorder.close())
  const shared = {
    machineId: relay.options.machineId,
    environment: { PATH: process.env['PATH'] ?? '', HOME: folder, PS1: '$ ', ...environment },
    home: folder,
    recorder,
    log,
  }
  const dataDir = join(folder, 'daemon')
  const restricted = opening.use(
    new Restricted({ dataDir, log, ...(maxPendingBytes !== undefined && { maxPendingBytes }) }),
  )
  const another = () =>
    new SessionTable({ ...shared, folder: join(dataDir, 'sessions'), ptys: nodePtyHost, restricted })
  const sessions = another()
  opening.defer(() => sessions.close())
  const commands = new RestrictedCommands({ restricted, sessions, settings: shared })
  const calls = new CallTable({
    ...shared,
    folder: join(folder, 'calls'),
    sessions,
    restricted: commands,
    now: Date.now,
  })
  opening.defer(() => calls.close())
  const permits = new PermitChecker(relay.options)
  const approvals = createTestApprovals(relay.options, folder)
  const files = createFileService(join(folder, 'uploads'), createFilePlaces(restricted, sessions))
  restricted.leave = (viewId) => files.leave(viewId)
  const onChannel = createChannelServer({ permits, approvals, calls, files, sessions, restricted, log })
  const connections: Connection[] = []
  const connect = async (transports = createMemoryTransports() as readonly [Transport, Transport]) => {
    const connection = new Connection(transports[0], { role: 'acceptor', hello: () => ({}) })
    void new Connection(transports[1], { role: 'dialer', hello: () => ({}), onChannel })
    connections.push(connection)
    await connection.ready
    return connection
  }
  opening.defer(async () => {
    for (const connection of connections) await connection[Symbol.asyncDispose]()
  })
  const first = await connect()
  const call: SessionWorld['call'] = (method, params, options = {}) => {
    const { callId, deadlineMs, connection = first, ...caller } = options
    const { window: _, ...open } = relay.signed(
      {
        method,
        params,
        ...(callId === undefined ? {} : { callId }),
        ...(deadlineMs === undefined ? {} : { deadlineMs }),
      },
      caller,
    )
    return connection.open(open)
  }
  const ask: SessionWorld['ask'] = async (method, params, options) => {
    const channel = call(method, params, options)
    await channel.accepted
    const parts: Uint8Array[] = []
    for await (const { data } of channel) parts.push(data)
    await channel.end()
    return JSON.parse(Buffer.concat(parts).toString())
  }
  const moved = opening.move()
  return {
    folder,
    sessions,
    restricted,
    dataDir,
    another,
    connect,
    call,
    ask,
    open: async (params = {}, options) =>
      SessionInfo.parse(await ask('session.open', { shell: 'sh', ...params }, options)),
    attach: (sessionId, params, options) =>
      TestParticipant.join(call('session.attach', { sessionId, ...params }, options)),
    observe: (sessionId, params, options) =>
      TestParticipant.join(call('session.observe', { sessionId, ...params }, options)),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}
