import {
  ASK_KEPT_MS,
  type AskConfirmParams,
  type AskParams,
  askLanes,
  type Channel,
  CmdopError,
  type Permit,
} from '@cmdop/protocol'
import type { Logger } from 'pino'
import type { AgentOptions } from '@cmdop/agent'
import { answer } from '../answer.ts'
import type { Handlers } from '../call-handler.ts'
import type { MachineState } from '../machine-state.ts'
import type { ChannelServer } from '../serve-channel.ts'
import type { SessionTable } from '../sessions/session-table.ts'
import { Ask } from './ask.ts'
import { PinLock } from './pin-lock.ts'
import { ResidentMemory } from './resident-memory.ts'
import { startTask, type Task } from './task.ts'

/** What the operator of a machine is made of. */
export interface ResidentSettings extends Pick<AgentOptions, 'model' | 'prices' | 'env'> {
  /** The least that has to be confirmed, whatever an ask says. Default `suspicious`. */
  readonly confirm?: AskParams['confirm'] | undefined
}

export interface ResidentOptions {
  readonly dataDir: string
  readonly state: Pick<MachineState, 'machineId' | 'name'>
  readonly settings: ResidentSettings
  /** Serves a call of this daemon. */
  readonly serve: ChannelServer
  /** To close what it leaves open. */
  readonly sessions: Pick<SessionTable, 'info' | 'end'>
  readonly log: Logger
}

/** The AI operator that lives on this machine. It works on one ask at a time. */
export class Resident {
  readonly handlers: Handlers
  readonly #options: ResidentOptions
  readonly #memory: ResidentMemory
  readonly #lock: PinLock
  #current: { readonly ask: Ask; readonly task: Task } | undefined
  /** Asks that are over and can still be attached to. */
  readonly #kept = new Map<string, Ask>()
  #closed = false

  constructor(options: ResidentOptions) {
    this.#options = options
    this.#memory = new ResidentMemory(options.dataDir)
    this.#lock = new PinLock(options.dataDir)
    this.handlers = {
      ask: (channel, params, permit) => this.#start(channel, params, permit),
      'ask.attach': (channel, { after }, permit) => this.#find(channel.open.callId, permit).attach(channel, after),
      'ask.cancel': (channel, _params, permit) => answer(channel, () => this.#cancel(channel.open.callId, permit)),
      'ask.confirm': (channel, params, permit) => answer(channel, async () => this.#confirm(params, permit)),
      'ask.pin': (channel, { challengeId }, permit) => this.#pin(channel, challengeId, permit),
      'ask.messages': (channel, { limit }, permit) => answer(channel, async () => this.#messages(permit, limit)),
      'ask.clear': (channel, _params, permit) => answer(channel, async () => this.#clear(permit)),
      'ask.session': (channel, _params, permit) =>
        answer(channel, async () => ({ session_id: this.#memory.active(permit.principalId)?.id ?? '' })),
      'ask.spend': (channel, { hours }) => answer(channel, async () => this.#memory.spending(hours)),
    }
  }

  /** Stops what runs, and goes on. */
  async endAll(): Promise<void> {
    await this.#current?.ask.cancel(new CmdopError('disabled', 'The machine was disabled; what ran was stopped.'))
  }

  /** Takes no ask any more; resolves when nothing runs. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#current?.ask.cancel(new CmdopError('lost', 'The daemon of the machine stops; what ran was stopped.'))
  }

  #start(channel: Channel, params: AskParams, permit: Permit): void {
    const { callId } = channel.open
    if (this.#closed) throw new CmdopError('unavailable', 'The daemon of the machine is stopping; nothing ran.')
    if (this.#current !== undefined || this.#kept.has(callId))
      throw new CmdopError('conflict', 'The operator of this machine works on another ask; wait until that is over.')
    const ask = new Ask(callId, params, permit)
    const task = startTask(ask, { ...this.#options, memory: this.#memory, lock: this.#lock })
    this.#current = { ask, task }
    ask.attach(channel, 0)
    void ask.over.then(() => this.#ended(ask))
  }

  #ended(ask: Ask): void {
    this.#current = undefined
    this.#kept.set(ask.id, ask)
    setTimeout(() => this.#kept.delete(ask.id), ASK_KEPT_MS).unref()
  }

  #find(callId: string, { principalId, fleetId }: Permit): Ask {
    const ask = this.#current?.ask.id === callId ? this.#current.ask : this.#kept.get(callId)
    if (ask?.principalId === principalId && ask.fleetId === fleetId) return ask
    throw new CmdopError('not_found', 'This machine knows no such ask of yours (any more).')
  }

  /** The task that runs now, if it is this principal's. */
  #running({ principalId, fleetId }: Permit): Task {
    const { ask, task } = this.#current ?? {}
    if (task !== undefined && ask?.principalId === principalId && ask.fleetId === fleetId) return task
    throw new CmdopError('not_found', 'No ask of yours runs on this machine.')
  }

  async #cancel(callId: string, permit: Permit): Promise<object> {
    await this.#find(callId, permit).cancel()
    return {}
  }

  #confirm({ token, accept }: AskConfirmParams, permit: Permit): object {
    this.#running(permit).confirm(token, accept)
    return {}
  }

  async #pin(channel: Channel, challengeId: string, permit: Permit): Promise<void> {
    const task = this.#running(permit)
    channel.accept()
    for await (const { lane, data } of channel) {
      if (lane !== askLanes.pin) throw new CmdopError('protocol', 'Expected a PIN only.')
      task.pin(challengeId, Buffer.from(data).toString())
      break
    }
    await answer(channel, async () => ({}))
  }

  #messages({ principalId }: Permit, limit: number): object {
    const active = this.#memory.active(principalId)
    return { agent_session_id: active?.id ?? null, messages: active?.messages.slice(-limit) ?? [] }
  }

  #clear({ principalId }: Permit): object {
    const cleared = this.#memory.clear(principalId)
    return { agent_session_id: cleared?.id ?? null, deleted: cleared?.deleted ?? 0 }
  }
}
