import type { Machine, RestrictionsInput } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import { rememberParts } from './agent-parts.ts'
import { agentTypeOf } from './agent-types/agent-types.ts'
import { type Environment, readModelConfig, readSecrets } from './config.ts'
import { type Conversation, createConversation, type KeptConversation } from './conversation.ts'
import { getHumanApproval, type HumanApproval, type HumanApprovalOptions } from './human-approval.ts'
import type { ModelObject } from './model/observed-model.ts'
import { resolveModel } from './model/resolve-model.ts'
import type { Plan } from './plan/plan.ts'
import type { MachineAsker } from './ports/ask-machine.ts'
import { type Gate, openGate } from './ports/gate.ts'
import { createRelayJournal } from './journal/relay-journal.ts'
import { type Journal, noJournal } from './ports/journal.ts'
import type { Secret } from './redact/secret.ts'
import { goThrough, type ReplayOptions, type ResumeMethod, type ResumeOptions } from './resume.ts'
import { refuseUnknownKeys } from './run/known-keys.ts'
import { parsePrices, type PriceTable } from './run/prices.ts'
import type { ModelIdentity, RunResult } from './run/run-result.ts'
import { createRunStream, type RunStream } from './run/run-stream.ts'
import { type AgentParts, createTask, ownRestrictions, type RunOptions, type RunSettings } from './run/task.ts'
import type { InferOutput, StandardSchema } from './standard-schema.ts'

/** What an agent is made of. */
export interface AgentOptions {
  /** The machine it works on: a client's handle, or the daemon's own. */
  readonly machine: Machine
  /**
   * An AI SDK language model, or a name: `anthropic:<name>`, `openai:<name>` (Responses API), `openai-chat:<name>`,
   * `compatible:<name>` (the server of CMDOP_MODEL_BASE_URL), `facts`. Default: what the environment configures.
   */
  readonly model?: ModelObject | string | undefined
  /** Decides about every call. Default: what asks for no person is allowed, as far as relay and machine allow it. */
  readonly gate?: Gate | undefined
  /** Where runs write down what they do. Default: on the relay, if the machine is reached through one. false: nowhere. */
  readonly journal?: Journal | false | undefined
  /** Prices of models, before the list's (`listPrices`): for `cost` and `budget.usd`. */
  readonly prices?: PriceTable | undefined
  /** Makes the tool `ask_machine` work: `askThrough(client)`. */
  readonly askMachine?: MachineAsker | undefined
  /** Cut out of everything that runs see, in every encoding; so are values of variables whose names look like a secret's. */
  readonly secrets?: readonly Secret[] | undefined
  /** What nothing in any of its runs may do; a run may add to it, and takes nothing away. The machine's kernel holds it. */
  readonly restrictions?: RestrictionsInput | undefined
  /** Instead of `process.env`. */
  readonly env?: Environment | undefined
  /** Times a model call is repeated when the server is busy or away. Default 2. */
  readonly maxRetries?: number | undefined
  /** Milliseconds of silence after which a model call is given up with `model`. Default 120,000. */
  readonly idleTimeoutMs?: number | undefined
}

const agentOptions: Readonly<Record<keyof AgentOptions, true>> = {
  askMachine: true,
  env: true,
  gate: true,
  idleTimeoutMs: true,
  journal: true,
  machine: true,
  maxRetries: true,
  model: true,
  prices: true,
  restrictions: true,
  secrets: true,
}

/** An AI operator on one machine. Runs share nothing but the machine and the model. */
export interface Agent {
  /** The model that makes the results. */
  readonly model: ModelIdentity
  /**
   * Works until there is an answer, and resolves only with one. Rejects with a `RunError` that has the whole record, or
   * with a `CmdopError` (`validation`, `schema_invalid`, `unsupported`) before anything is sent.
   */
  run: RunMethod<'promise'>
  /** The same as a stream of events. Throws at once what `run` rejects with before anything is sent. */
  runStream: RunMethod<'stream'>
  /**
   * Goes on with a run that stopped: because its script, the relay or the machine went away, or a person had to decide. A
   * command that was in flight is asked for, and never run twice; one of which nobody knows what became ends the run with
   * `unknown`. A run that is over gives its result again. Whoever still writes to it stops with `conflict`.
   *
   * Rejects as `run` does; with `conflict`, which says what differs, for other tools or another schema; with `not_found`; and
   * with `unsupported` for a journal of a newer version, or without one.
   */
  resume: ResumeMethod<ResumeOptions>
  /**
   * Plays a completed run again without its model, with its calls from the journal or made again. `conflict`, with the
   * difference, when it does not go as it went.
   */
  replay: ResumeMethod<ReplayOptions>
  /**
   * Asks people whether what a run came to may be acted upon, and waits for them. See `getHumanApproval`.
   */
  getHumanApproval<Output>(result: RunResult<Output>, options?: HumanApprovalOptions): Promise<HumanApproval<Output>>
  /** A talk that goes on. `defaults`: options of every turn; `kept`: of one that began in another process. */
  conversation(defaults?: RunSettings, kept?: KeptConversation): Conversation
}

/**
 * The output is text without a schema, of the schema's type with one, and unknown when its type is not known here. `More`:
 * options of whoever offers it.
 */
export interface RunMethod<Kind extends 'promise' | 'stream', More extends object = object> {
  <Schema extends StandardSchema>(
    prompt: string,
    options: RunSettings & More & { readonly outputSchema: Schema },
  ): RunKind<InferOutput<Schema>>[Kind]
  (
    prompt: string,
    options: RunSettings & More & { readonly agentType: 'planner'; readonly outputSchema?: undefined },
  ): RunKind<Plan>[Kind]
  (
    prompt: string,
    options: RunSettings & More & { readonly agentType: 'router'; readonly outputSchema?: undefined },
  ): RunKind<unknown>[Kind]
  (prompt: string, options?: TextSettings & More): RunKind<string>[Kind]
  (prompt: string, options: RunOptions & More): RunKind<unknown>[Kind]
}

/** Settings of a run that ends in text. */
export interface TextSettings extends RunSettings {
  readonly agentType?: 'terminal' | 'chat' | 'command' | undefined
  readonly outputSchema?: undefined
}

/** What the two methods give. */
export interface RunKind<Output> {
  readonly promise: Promise<RunResult<Output>>
  readonly stream: RunStream<Output>
}

/** An agent for a machine. Throws `config`, which names the variable, when no model can be told from the environment. */
export function createAgent(options: AgentOptions): Agent {
  refuseUnknownKeys('option of an agent', options, agentOptions)
  const { machine, maxRetries = 2, idleTimeoutMs = 120_000, secrets = [] } = options
  const { model, source, providerOptions } = resolveModel(options.model, readModelConfig(options.env))
  const parts: AgentParts = {
    machine,
    model,
    source,
    providerOptions,
    maxRetries: inRange('maxRetries', maxRetries, 0, 10),
    idleTimeoutMs: inRange('idleTimeoutMs', idleTimeoutMs, 1, 2_000_000_000),
    gate: options.gate ?? openGate,
    journal: journalOf(options),
    prices: parsePrices(options.prices),
    asker: options.askMachine,
    secrets: [...readSecrets(options.env), ...source.secrets, ...secrets.map((secret) => secret.reveal())],
    restrictions: ownRestrictions(options),
  }
  const runStream = (prompt: string, options: RunOptions = {}): RunStream =>
    createRunStream(createTask(parts, prompt, options, { type: agentTypeOf(options.agentType) }))
  const run = async (prompt: string, options?: RunOptions): Promise<RunResult> => runStream(prompt, options).result
  const resume = (runId: string, given: ResumeOptions = {}): Promise<RunResult> =>
    goThrough(parts, runId, { use: 'resume', options: given })
  const replay = (runId: string, { commands = 'recorded', ...given }: ReplayOptions = {}): Promise<RunResult> =>
    goThrough(parts, runId, { use: commands, options: given })
  const agent: Agent = {
    model: source.identity,
    run: run as RunMethod<'promise'>,
    runStream: runStream as RunMethod<'stream'>,
    resume,
    replay,
    getHumanApproval: (result, asked) => getHumanApproval(machine, result, asked),
    conversation: (defaults = {}, kept) => createConversation(parts, defaults, kept),
  }
  rememberParts(agent, parts)
  return agent
}

function journalOf({ journal, machine }: AgentOptions): Journal {
  if (journal !== undefined) return journal === false ? noJournal : journal
  return machine.runs === undefined ? noJournal : createRelayJournal(machine.runs)
}

function inRange(name: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value
  throw new CmdopError('validation', `Expected ${name} to be a whole number from ${low} to ${high}, got ${value}.`)
}
