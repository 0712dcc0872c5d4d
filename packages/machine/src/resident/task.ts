import type { Conversation, RunEndEvent, RunRecord } from '@cmdop/agent'
import { type AskWireFrame, CmdopError, isCmdopError, toCmdopError } from '@cmdop/protocol'
import type { Logger } from 'pino'
import type { MachineState } from '../machine-state.ts'
import type { ChannelServer } from '../serve-channel.ts'
import type { SessionTable } from '../sessions/session-table.ts'
import type { Ask } from './ask.ts'
import { Confirmations } from './confirmations.ts'
import { doneFrame, errorFrame, frameOf, modelName } from './frames.ts'
import { openLocalMachine } from './local-machine.ts'
import { PinGate } from './pin-gate.ts'
import type { PinLock } from './pin-lock.ts'
import type { ResidentSettings } from './resident.ts'
import type { ResidentMemory } from './resident-memory.ts'

/** Milliseconds for the first answer of a call, beside the wait for somebody who may permit it. */
const ANSWER_WITHIN_MS = 30_000

export interface TaskOptions {
  readonly state: Pick<MachineState, 'machineId' | 'name'>
  readonly settings: ResidentSettings
  readonly serve: ChannelServer
  readonly sessions: Pick<SessionTable, 'info' | 'end'>
  readonly memory: ResidentMemory
  readonly lock: PinLock
  readonly log: Logger
}

/** What a person can say to an ask that runs. */
export interface Task {
  confirm(token: string, accept: boolean): void
  pin(challengeId: string, pin: string): void
}

/** Starts the operator on an ask. */
export function startTask(ask: Ask, options: TaskOptions): Task {
  const say = (frame: AskWireFrame) => ask.say(frame)
  const rejection = { said: false }
  const confirmations = new Confirmations({
    mode: options.settings.confirm === 'changes' ? 'changes' : ask.params.confirm,
    say,
    rejected: () => {
      rejection.said = true
      void ask.cancel(new CmdopError('cancelled', 'A person rejected what the ask wanted to do.'))
    },
  })
  const pins = new PinGate({ lock: options.lock, label: options.state.name, say })
  ask.start(async () => {
    try {
      if (options.lock.isSet) await pins.pass(ask.pin, ask.signal)
      const end = await operate(ask, options, confirmations)
      return remembered(ask, options, { ...end, rejected: rejection.said })
    } catch (cause) {
      const error = toCmdopError(
        cause,
        'server',
        'The operator of the machine met a fault of its own; its log says more.',
      )
      if (error.code === 'server') options.log.error({ err: cause, callId: ask.id }, 'an ask failed')
      return errorFrame(error)
    }
  })
  return {
    confirm: (token, accept) => confirmations.confirm(token, accept),
    pin: (challengeId, pin) => pins.answer(challengeId, pin),
  }
}

interface End {
  readonly event: RunEndEvent
  readonly conversation: Conversation
  readonly startedAt: string
}

/** Runs the agent, on this machine, until it has an answer or fails. */
async function operate(ask: Ask, options: TaskOptions, gate: Confirmations): Promise<End> {
  const { params, signal } = ask
  const { state, settings, serve, sessions, memory } = options
  const startedAt = new Date().toISOString()
  // Loaded at the first use: most machines are never asked.
  const { createAgent, createRelayJournal } = await import('@cmdop/agent')
  const timeoutMs = params.orphanMs + ANSWER_WITHIN_MS
  const local = openLocalMachine({ ...state, permits: ask.permits, serve, sessions, timeoutMs })
  try {
    const { model, prices, env } = settings
    const journal = createRelayJournal(ask.journal)
    const agent = createAgent({ machine: local.machine, gate, journal, model, prices, env })
    const conversation = agent.conversation({}, memory.conversation(ask.principalId, params.conversationId))
    const run = conversation.sendStream(params.prompt, {
      agentType: params.agentType,
      outputSchema: params.outputSchema,
      restrictions: params.restrictions,
      policy: params.policy,
      budget: params.timeoutSeconds === undefined ? undefined : { seconds: params.timeoutSeconds },
      signal,
    })
    for await (const event of run) {
      if (event.type === 'result' || event.type === 'error') return { event, conversation, startedAt }
      const frame = frameOf(event)
      if (frame !== undefined) await ask.say(frame)
    }
  } finally {
    await local.close()
  }
  throw new CmdopError('server', 'The operator ended without an end.')
}

/** Keeps what was said and spent; the last frame. */
function remembered(ask: Ask, options: TaskOptions, end: End & { rejected: boolean }): AskWireFrame {
  const { event, conversation, startedAt } = end
  const record: RunRecord = event.type === 'result' ? event.result : event.error.result
  const frame = lastFrame(ask, end, record)
  const { conversationId, prompt } = ask.params
  const success = event.type === 'result'
  const text = frame.type === 'done' ? frame.text || JSON.stringify(frame.output) : record.text
  const reply = { role: 'assistant', text, created_at: new Date().toISOString(), request_id: ask.id, success } as const
  try {
    options.memory.remember({
      principalId: ask.principalId,
      conversationId,
      kept: success ? conversation.kept : undefined,
      messages: [
        { role: 'user', text: prompt, created_at: startedAt, request_id: ask.id },
        { ...reply, error: success ? '' : event.error.message, duration_ms: Math.round(record.durationMs) },
      ],
    })
    options.memory.spend(modelName(record.model), {
      usd: record.cost ?? 0,
      tokensIn: record.usage.inputTokens ?? 0,
      tokensOut: record.usage.outputTokens ?? 0,
      calls: record.steps.length,
    })
  } catch (err) {
    // The caller has its answer either way.
    options.log.error({ err, callId: ask.id }, 'what was said could not be kept')
  }
  return frame
}

function lastFrame(ask: Ask, { event, rejected }: End & { rejected: boolean }, record: RunRecord): AskWireFrame {
  const { conversationId } = ask.params
  if (rejected) return doneFrame(record, { conversationId, rejection: 'A person rejected what the ask wanted to do.' })
  if (event.type === 'result') return doneFrame(record, { conversationId })
  // Why it was stopped, rather than that it was.
  const reason: unknown = ask.signal.reason
  return errorFrame(ask.signal.aborted && isCmdopError(reason) ? reason : event.error)
}
