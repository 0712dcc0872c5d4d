import { hostname } from 'node:os'
import { type MachineOver, machineOver } from '@cmdop/core'
import {
  type Channel,
  CmdopError,
  Connection,
  createMemoryTransports,
  toCmdopError,
  toWireError,
} from '@cmdop/protocol'
import type { ChannelServer } from '../serve-channel.ts'
import type { SessionTable } from '../sessions/session-table.ts'
import type { PermitBroker } from './permit-broker.ts'

export interface LocalMachineOptions {
  readonly machineId: string
  readonly name: string
  readonly permits: PermitBroker
  /** Serves a call of this daemon, if the permit is for it. */
  readonly serve: ChannelServer
  readonly sessions: Pick<SessionTable, 'info' | 'end'>
  /** Milliseconds for the first answer of a call, with the wait for its permit. */
  readonly timeoutMs: number
}

/**
 * This machine as its own operator has it: the client's handle over a connection in memory. Each call gets its permit
 * from the relay and is then served as if the relay had sent it, so that the operator has no way of its own to anything.
 */
export function openLocalMachine(options: LocalMachineOptions): MachineOver {
  const { machineId, name, permits, serve, timeoutMs } = options
  const opened: string[] = []
  const onChannel = (channel: Channel): void => {
    if (channel.open.method === 'session.open') opened.push(channel.open.callId)
    servePermitted(channel, permits, serve).catch((cause: unknown) =>
      channel.reset(toCmdopError(cause, 'server', 'The call could not be served.')),
    )
  }
  const over = machineOver({
    machine: { id: machineId, name, hostname: hostname() },
    timeoutMs,
    approvals: permits,
    openTransport: () => {
      const [near, far] = createMemoryTransports()
      // It ends with the other end.
      void new Connection(far, { role: 'acceptor', hello: () => ({}), onChannel })
      return near
    },
  })
  return {
    machine: over.machine,
    close: async () => {
      await over.close()
      await Promise.all(opened.map((sessionId) => endSession(options.sessions, sessionId)))
    },
  }
}

/** A session that the operator could not close any more, because nobody was there to permit it. One that somebody took over stays. */
async function endSession(sessions: LocalMachineOptions['sessions'], sessionId: string): Promise<void> {
  const info = await sessions.info(sessionId).catch(() => undefined)
  if (info?.state === 'running' && info.shell === null) await sessions.end(sessionId)
}

async function servePermitted(
  channel: Channel,
  permits: PermitBroker,
  serve: LocalMachineOptions['serve'],
): Promise<void> {
  const { callId } = channel.open
  const state = { isOver: false }
  const over = channel.over.then(
    () => ({ callId, trailer: channel.ownTrailer ?? null, error: null }),
    (error: CmdopError) => ({ callId, trailer: null, error: toWireError(error) }),
  )
  void over.then(() => {
    state.isOver = true
  })
  const given = await permits.request(channel.open)
  void over.then((end) => permits.ended(end))
  // The operator may have changed its mind meanwhile.
  if (!state.isOver) serve(channel, given)
}
