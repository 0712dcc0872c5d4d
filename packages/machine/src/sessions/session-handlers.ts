import {
  type Channel,
  CmdopError,
  type Participant,
  type Permit,
  sessionLanes,
  type SessionReadEnd,
  type SessionReadParams,
} from '@cmdop/protocol'
import { answer } from '../answer.ts'
import type { Handlers } from '../call-handler.ts'
import type { Session } from './session.ts'
import { executeInSession } from './shell/execute-in-session.ts'
import type { SessionTable } from './session-table.ts'

/** Serves the methods of sessions. */
export function createSessionHandlers(sessions: SessionTable): Handlers {
  return {
    'session.open': (channel, params, permit) =>
      answer(channel, () => sessions.open(channel.open.callId, params, permit)),
    'session.list': (channel, params) => answer(channel, async () => ({ items: await sessions.list(params) })),
    'session.get': (channel, { sessionId }) => answer(channel, () => sessions.info(sessionId)),
    'session.close': (channel, { sessionId }) => answer(channel, () => sessions.end(sessionId)),
    'session.read': async (channel, params) => readOutput(channel, await sessions.find(params.sessionId), params),
    'session.attach': async (channel, params, permit) => {
      const session = await sessions.find(params.sessionId)
      await session.attach(channel, participantOf(channel, permit), params)
    },
    'session.execute': async (channel, params, permit) => {
      const session = await sessions.find(params.sessionId)
      await executeInSession(channel, { session, params, who: participantOf(channel, permit) })
    },
    'session.observe': async (channel, params, permit) => {
      const session = await sessions.find(params.sessionId)
      await session.observe(channel, participantOf(channel, permit), params)
    },
  }
}

function participantOf({ open }: Channel, { principalId, principalKind, principalName }: Permit): Participant {
  return { participantId: open.callId, principalId, principalKind, name: principalName }
}

/** Output that is kept, as it is now: it does not wait for more. */
async function readOutput(channel: Channel, { output }: Session, params: SessionReadParams): Promise<void> {
  const { scrollback } = output
  const first = Math.min(Math.max(params.offset, scrollback.start), Math.max(params.offset, scrollback.end))
  const end = Math.min(first + params.length, scrollback.end)
  channel.accept()
  for (let offset = first; offset < end;) {
    const data = await scrollback.read(offset)
    if (data === undefined)
      throw new CmdopError('conflict', 'The output was overwritten while it was read; read on from a later offset.')
    const piece = data.subarray(0, end - offset)
    await channel.send(sessionLanes.output, piece)
    offset += piece.length
  }
  await channel.end({ offset: first, outputBytes: scrollback.end } satisfies SessionReadEnd)
}
