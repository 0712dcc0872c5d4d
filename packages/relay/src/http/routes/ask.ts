import {
  ActiveSession,
  AskConfirm,
  AskLine,
  AskPin,
  AskRequest,
  CallId,
  ClearMessagesResponse,
  CmdopError,
  hoursOf,
  JsonLines,
  MachineSpend,
  MessagesResponse,
  SpendQuery,
} from '@cmdop/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { AskCall, AskStream } from '../../ask/ask-service.ts'
import { newId } from '../../auth/secrets.ts'
import type { HttpContext } from '../context.ts'
import { type SentEvent, sendEvents } from '../event-stream.ts'
import { callerOf } from '../guard.ts'
import { machinePrefixes } from '../machine-prefixes.ts'

const MachineParams = z.object({ machine: z.string().min(1).max(64).describe('Id of the machine') })
const AskedParams = MachineParams.extend({ call: CallId.describe('Id of the ask') })
const MessagesQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Messages at most, the newest ones'),
})
const Done = z.object({})

/** Header that names the ask. */
const ASK_HEADER = 'cmdop-ask'

/** The operator that lives on a machine: under the paths of clients that know a relay's, and under ours. */
export function askRoutes(context: HttpContext): FastifyPluginAsyncZod {
  return async (app) => {
    for (const prefix of machinePrefixes) await app.register(routes(context), { prefix })
  }
}

function routes(context: HttpContext): FastifyPluginAsyncZod {
  const { asks } = context
  // What the caller may do is decided, and written down, where every call to a machine is.
  const answer = async (request: FastifyRequest, call: Omit<AskCall, 'callId'> & { callId?: string }) =>
    asks.answer(await callerOf(context, request), { callId: newId('call_'), ...call })
  const stream = async (request: FastifyRequest, reply: FastifyReply, call: AskCall) => {
    await using opened = await asks.open(await callerOf(context, request), call)
    const { callId } = call
    await sendEvents(reply, eventsOf(opened, callId), {
      heartbeatMs: context.heartbeatMs,
      headers: { [ASK_HEADER]: callId },
    })
  }
  return async (app) => {
    app.post(
      '/:machine/ask',
      { schema: { summary: 'Ask the operator of a machine', params: MachineParams, body: AskRequest } },
      async (request, reply) => {
        const { machine } = request.params
        const seen = lastSeen(request)
        if (seen !== undefined) return stream(request, reply, attachTo(machine, seen))
        return stream(request, reply, askOf(machine, request.body))
      },
    )

    app.get(
      '/:machine/ask/:call',
      { schema: { summary: 'Go on with an ask, after Last-Event-ID', params: AskedParams } },
      async (request, reply) => {
        const { machine, call } = request.params
        const seen = lastSeen(request) ?? { callId: call, after: 0 }
        return stream(request, reply, attachTo(machine, { ...seen, callId: call }))
      },
    )

    app.delete(
      '/:machine/ask/:call',
      { schema: { summary: 'Stop an ask', params: AskedParams, response: { 200: Done } } },
      async (request) => {
        const { machine: target, call: callId } = request.params
        return Done.parse(await answer(request, { method: 'ask.cancel', target, callId, params: {} }))
      },
    )

    app.post(
      '/:machine/confirm',
      {
        schema: {
          summary: 'Accept or reject what an ask wants to do',
          params: MachineParams,
          body: AskConfirm,
          response: { 200: Done },
        },
      },
      async (request) => {
        const { machine: target } = request.params
        return Done.parse(await answer(request, { method: 'ask.confirm', target, params: request.body }))
      },
    )

    app.post(
      '/:machine/pin',
      {
        schema: {
          summary: 'Give the PIN that a machine asks for',
          params: MachineParams,
          body: AskPin,
          response: { 200: Done },
        },
      },
      async (request) => {
        const { challenge_id: challengeId, pin } = request.body
        const { machine: target } = request.params
        return Done.parse(await answer(request, { method: 'ask.pin', target, params: { challengeId }, pin }))
      },
    )

    app.get(
      '/:machine/messages',
      {
        schema: {
          summary: 'What you and the operator of a machine have said',
          params: MachineParams,
          querystring: MessagesQuery,
          response: { 200: MessagesResponse },
        },
      },
      async (request) => {
        const { machine: target } = request.params
        return MessagesResponse.parse(await answer(request, { method: 'ask.messages', target, params: request.query }))
      },
    )

    app.delete(
      '/:machine/messages',
      {
        schema: {
          summary: 'Forget your conversation with the operator of a machine',
          params: MachineParams,
          response: { 200: ClearMessagesResponse },
        },
      },
      async (request) => {
        const { machine: target } = request.params
        return ClearMessagesResponse.parse(await answer(request, { method: 'ask.clear', target, params: {} }))
      },
    )

    app.get(
      '/:machine/active_session',
      { schema: { summary: 'Your latest conversation', params: MachineParams, response: { 200: ActiveSession } } },
      async (request) => {
        const { machine: target } = request.params
        return ActiveSession.parse(await answer(request, { method: 'ask.session', target, params: {} }))
      },
    )

    app.get(
      '/:machine/spend',
      {
        schema: {
          summary: 'What the asks of a machine cost',
          params: MachineParams,
          querystring: SpendQuery,
          response: { 200: MachineSpend },
        },
      },
      async (request) => {
        const { window } = request.query
        const params = { hours: hoursOf(window) }
        const spent = await answer(request, { method: 'ask.spend', target: request.params.machine, params })
        return MachineSpend.parse({ ...(spent as object), window })
      },
    )
  }
}

function askOf(target: string, body: AskRequest): AskCall {
  const { call_id: callId = newId('call_'), session_id: conversationId = newId('con_'), prompt, pin, options } = body
  const params = {
    prompt,
    conversationId,
    ...(body.agent_type === undefined ? {} : { agentType: body.agent_type }),
    ...(body.timeout_seconds === undefined ? {} : { timeoutSeconds: body.timeout_seconds }),
    ...(body.output_schema === undefined ? {} : { outputSchema: body.output_schema }),
    ...(body.orphan_ms === undefined ? {} : { orphanMs: body.orphan_ms }),
    ...(options?.confirm === undefined ? {} : { confirm: options.confirm }),
    ...(options?.restrictions === undefined ? {} : { restrictions: options.restrictions }),
    ...(options?.policy === undefined ? {} : { policy: options.policy }),
    ...(pin === undefined ? {} : { pin: true }),
  }
  return { method: 'ask', target, callId, params, pin }
}

interface Seen {
  readonly callId: string
  readonly after: number
}

function attachTo(target: string, { callId, after }: Seen): AskCall {
  return { method: 'ask.attach', target, callId, params: { after } }
}

/** Ids of events are `<ask>.<number>`. */
function lastSeen(request: FastifyRequest): Seen | undefined {
  const header = request.headers['last-event-id']
  if (header === undefined) return undefined
  const [, callId, after] = /^([A-Za-z0-9_-]{8,64})\.(\d{1,12})$/.exec(String(header)) ?? []
  if (callId === undefined)
    throw new CmdopError('validation', 'Expected Last-Event-ID to be the id of an event of an ask.')
  return { callId, after: Number(after) }
}

/** The frames of an ask. Without an end of the ask the answer ends without one, and the client comes back for the rest. */
async function* eventsOf({ lines }: AskStream, callId: string): AsyncGenerator<SentEvent> {
  const reader = new JsonLines()
  for await (const data of lines) {
    for (const line of reader.push(data)) {
      const { number, frame } = AskLine.parse(line)
      yield { id: `${callId}.${number}`, data: JSON.stringify(frame) }
    }
  }
}
