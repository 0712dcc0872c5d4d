import {
  type Agent,
  type AgentOptions,
  type Conversation,
  createAgent,
  type HumanApproval,
  type HumanApprovalOptions,
  type KeptConversation,
  type ReplayOptions,
  type ResumeMethod,
  type ResumeOptions,
  type RunMethod,
  type RunOptions,
  type RunResult,
  type RunSettings,
  type RunStream,
} from '@cmdop/agent'
import type { Machine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'

/** What an agent is made of, apart from its machine. */
export type AgentDefaults = Omit<AgentOptions, 'machine'>

/** On which machine a run works. */
export interface TargetOptions {
  /** A handle: `await client.machine('web-1')`. Default: the machine that `client.terminal` has. */
  readonly machine?: Machine | undefined
}

/** What the namespace needs of `client.terminal`. */
export interface Target {
  readonly machine: Machine | undefined
  hold(call: PromiseLike<unknown>): void
}

/**
 * `client.agent`: AI operators on the machine that the options name, or that `client.terminal.setMachine` or
 * `getActiveSession` set. It is the machine at the time of the call; to set another one while a run works on it is
 * `conflict`, and a run without one is `config`.
 */
export class AgentNamespace {
  readonly #target: Target
  readonly #defaults: AgentDefaults

  constructor(target: Target, defaults: AgentDefaults = {}) {
    this.#target = target
    this.#defaults = defaults
  }

  /** Works until there is an answer, and resolves only with one; else rejects with a `RunError` that has the whole record. */
  readonly run = (async (prompt: string, options?: RunOptions & TargetOptions) =>
    this.#start(prompt, options).result) as RunMethod<'promise', TargetOptions>

  /** The same as a stream of events. Throws at once what `run` rejects with before anything is sent. */
  readonly runStream = ((prompt: string, options?: RunOptions & TargetOptions) =>
    this.#start(prompt, options)) as RunMethod<'stream', TargetOptions>

  /** Goes on with a run that stopped, on its machine. See `Agent.resume`. */
  readonly resume = (async (runId: string, given?: ResumeOptions & TargetOptions) => {
    const { machine, ...options } = given ?? {}
    return this.#held(machine, this.#agent(machine).resume(runId, options))
  }) as ResumeMethod<ResumeOptions & TargetOptions>

  /** Plays a completed run again without its model. See `Agent.replay`. */
  readonly replay = (async (runId: string, given?: ReplayOptions & TargetOptions) => {
    const { machine, ...options } = given ?? {}
    return this.#held(machine, this.#agent(machine).replay(runId, options))
  }) as ResumeMethod<ReplayOptions & TargetOptions>

  /** Asks people whether what a run came to may be acted upon, and waits for them. See `Agent.getHumanApproval`. */
  async getHumanApproval<Output>(
    result: RunResult<Output>,
    { machine, ...options }: HumanApprovalOptions & TargetOptions = {},
  ): Promise<HumanApproval<Output>> {
    return this.#held(machine, this.#agent(machine).getHumanApproval(result, options))
  }

  /** A talk that goes on, on the machine that is set now. `defaults`: options of every turn; `kept`: of one of another process. */
  conversation({ machine, ...defaults }: RunSettings & TargetOptions = {}, kept?: KeptConversation): Conversation {
    const talk = this.#agent(machine).conversation(defaults, kept)
    if (machine !== undefined) return talk
    const sendStream = (prompt: string, options: RunOptions = {}): RunStream =>
      new HeldRunStream(talk.sendStream(prompt, options), this.#target)
    return {
      send: (async (prompt: string, options?: RunOptions) =>
        sendStream(prompt, options).result) as Conversation['send'],
      sendStream: sendStream as Conversation['sendStream'],
      get messages() {
        return talk.messages
      },
      get kept() {
        return talk.kept
      },
      clear: () => talk.clear(),
    }
  }

  #start(prompt: string, { machine, ...options }: RunOptions & TargetOptions = {}): RunStream {
    const stream = this.#agent(machine).runStream(prompt, options as RunOptions)
    return machine === undefined ? new HeldRunStream(stream, this.#target) : stream
  }

  #agent(machine: Machine | undefined): Agent {
    const target = machine ?? this.#target.machine
    if (target !== undefined) return createAgent({ ...this.#defaults, machine: target })
    throw new CmdopError(
      'config',
      'No machine is set: call client.terminal.setMachine("<machine>") first, or pass { machine }.',
    )
  }

  #held<Value>(machine: Machine | undefined, call: Promise<Value>): Promise<Value> {
    if (machine === undefined) this.#target.hold(call)
    return call
  }
}

/** A run on the machine that is set: from its start until it settles no other machine can be. */
class HeldRunStream<Output> implements RunStream<Output> {
  readonly #stream: RunStream<Output>
  readonly #target: Target
  #held = false

  constructor(stream: RunStream<Output>, target: Target) {
    this.#stream = stream
    this.#target = target
  }

  get result(): RunStream<Output>['result'] {
    const { result } = this.#stream
    if (!this.#held) this.#target.hold(result)
    this.#held = true
    return result
  }

  cancel(): Promise<void> {
    return this.#stream.cancel()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel()
  }

  [Symbol.asyncIterator](): ReturnType<RunStream<Output>[typeof Symbol.asyncIterator]> {
    // Its events are taken first, so that to look at the result takes none.
    const events = this.#stream[Symbol.asyncIterator]()
    void this.result
    return events
  }
}
