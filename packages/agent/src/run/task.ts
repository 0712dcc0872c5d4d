import { isDeepStrictEqual } from 'node:util'
import { knownRestrictions, type Machine, type Restrictions, type RestrictionsInput } from '@cmdop/core'
import { CmdopError, isRestricted, RunId, RunPolicy } from '@cmdop/protocol'
import type { ModelMessage } from 'ai'
import { z } from 'zod'
import type { AgentType, AgentTypeName } from '../agent-types/agent-type.ts'
import type { Routes } from '../agent-types/routes.ts'
import type { History } from '../journal/history.ts'
import type { ModelSource } from '../model/model-error.ts'
import type { ProviderOptions } from '../model/model-step.ts'
import type { ModelObject } from '../model/observed-model.ts'
import { dialectOf } from '../output/dialect.ts'
import { evidenceCompanion } from '../output/evidence.ts'
import { createOutputSchema, type OutputSchema, type OutputSchemaInput } from '../output/output-schema.ts'
import type { MachineAsker } from '../ports/ask-machine.ts'
import { bothGates, type Gate } from '../ports/gate.ts'
import { type Journal, noJournal } from '../ports/journal.ts'
import type { Redactor } from '../redact/redactor.ts'
import { runRedactor } from '../redact/run-redactor.ts'
import { isSecretName } from '../redact/secret-names.ts'
import { Secret } from '../redact/secret.ts'
import type { BuiltInToolName } from '../tools/built-in-tools.ts'
import { openToolsOf, type OpenTools, type ToolsInput } from '../tools/open-tools.ts'
import { type Budget, parseBudget } from './budget.ts'
import { digestOf } from './digest.ts'
import { createFence, type Fence } from './fence.ts'
import { refuseUnknownKeys } from './known-keys.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { type Price, type PriceTable, priceOf } from './prices.ts'
import { firstMessage } from './prompt.ts'
import { approvalGate, type Asks } from '../calls/approval-gate.ts'
import { type RunJournal, runJournal } from './run-journal.ts'
import type { SharedBudget } from './shared-budget.ts'

/** Options of one run, apart from what its answer must be. */
export interface RunSettings {
  /** Default `terminal`. */
  readonly agentType?: AgentTypeName | undefined
  /** Any JSON for the model to use as data; at most 64 KiB. A `Secret` in it is not shown. */
  readonly context?: unknown
  /** Tools of your own: of the AI SDK, or an MCP server made by `mcpServer`. */
  readonly tools?: ToolsInput | undefined
  /** The built-in tools it has. Default: those of its type. */
  readonly builtInTools?: readonly BuiltInToolName[] | undefined
  /** Tools of your own that change nothing, by name: they may run side by side, and a planner may use them. */
  readonly readOnlyTools?: readonly string[] | undefined
  /** Set for commands. A `Secret` reaches the command and nothing else; so does a value whose name looks like a secret's. */
  readonly env?: Readonly<Record<string, string | Secret>> | undefined
  /** Cut out of everything the run sees, in every encoding. */
  readonly secrets?: readonly Secret[] | undefined
  /** Each field of the answer cites the calls it rests on, and every citation is checked. Needs a schema. */
  readonly evidence?: boolean | undefined
  readonly budget?: Budget | undefined
  /** Spent from by this run and others, beside its own budget: see `createSharedBudget`. */
  readonly sharedBudget?: SharedBudget | undefined
  /** Id of the run, a UUID, made by who has to find it again; that of another run is `conflict`. Default: a new one. */
  readonly runId?: string | undefined
  /**
   * What nothing in the run may do, together with those of the agent; the machine's kernel holds it. What cannot be held is refused
   * before the model is asked (`restriction_unenforceable`).
   */
  readonly restrictions?: RestrictionsInput | undefined
  /**
   * About which calls people are asked, beside those that the policy of the fleet asks about, and whether the run waits for
   * them. Default: about no others, and it waits until the approval expires.
   */
  readonly approval?: Asks | { readonly ask?: Asks | undefined; readonly wait?: boolean | undefined } | undefined
  /**
   * Rules that ask or deny, and a mode, beside the policies of fleet and machine; the relay judges every call of the run by them. For a
   * run that is written down at the relay.
   */
  readonly policy?: RunPolicy | undefined
  /** Where a `router` may send its task. */
  readonly routes?: Routes | undefined
  /** Cancels the run: the model call and the running command are stopped. */
  readonly signal?: AbortSignal | undefined
  /** Wrong answers that are sent back to the model before the run fails. Default 2. */
  readonly maxRepairs?: number | undefined
}

/** Options of one run. */
export interface RunOptions extends RunSettings {
  /** What the answer must be: a Zod schema, any Standard Schema, or JSON Schema. Without it the answer is text. */
  readonly outputSchema?: OutputSchemaInput | undefined
}

const runOptions: Readonly<Record<keyof RunOptions, true>> = {
  agentType: true,
  approval: true,
  budget: true,
  builtInTools: true,
  context: true,
  env: true,
  evidence: true,
  maxRepairs: true,
  outputSchema: true,
  policy: true,
  readOnlyTools: true,
  restrictions: true,
  routes: true,
  runId: true,
  secrets: true,
  sharedBudget: true,
  signal: true,
  tools: true,
}

/** Throws `validation` for an option that there is not. */
export function refuseUnknownOptions(options: RunOptions): void {
  refuseUnknownKeys('option of a run', options, runOptions)
}

/** What an agent gives to each of its runs. */
export interface AgentParts {
  readonly machine: Machine
  readonly model: ModelObject
  readonly source: ModelSource
  readonly providerOptions: ProviderOptions | undefined
  readonly maxRetries: number
  readonly idleTimeoutMs: number
  readonly gate: Gate
  readonly journal: Journal
  readonly prices: PriceTable
  readonly asker: MachineAsker | undefined
  /** Of the environment and of the agent's own options. */
  readonly secrets: readonly string[]
  /** Of every run, whatever it asks for. */
  readonly restrictions: readonly Restrictions[]
}

/** A run for which another one works. */
export interface ParentRun {
  readonly ledger: Ledger
  readonly gate: Gate
  readonly signal: AbortSignal
  readonly waitsForApproval: boolean
  readonly restrictions: readonly Restrictions[]
  readonly policy: RunPolicy | undefined
  readonly tainted: boolean
}

/** What was said before in a conversation. */
export interface EarlierTurns {
  readonly messages: readonly ModelMessage[]
  readonly fence: Fence
  /** Whether there is data in it that looks like instructions. */
  readonly tainted: boolean
}

/** What a task is made of, beside the agent and the options. */
export interface TaskOrigin {
  readonly type: AgentType
  readonly parent?: ParentRun | undefined
  /** Of an earlier conversation, with the fence it used. */
  readonly earlier?: EarlierTurns | undefined
  /** Of a run that has begun before. */
  readonly history?: History | undefined
  /** Of a run that is to be found again by it. Default: a new one. */
  readonly runId?: string | undefined
}

/** What the calls of a run need of it. */
export interface CallTask {
  readonly machine: Machine
  readonly type: AgentType
  readonly gate: Gate
  readonly journal: RunJournal
  readonly fence: Fence
  readonly redactor: Redactor
  readonly ledger: Ledger
  /** Set for commands. */
  readonly env: Readonly<Record<string, string>>
  /** Whether results begin with their call's label. */
  readonly labelled: boolean
  readonly waitsForApproval: boolean
  /** What was done before; undefined: the run begins. */
  readonly history?: History | undefined
}

/** A run whose input has been checked. Nothing has been sent. */
export interface Task extends CallTask, Omit<AgentParts, 'journal'> {
  readonly agent: AgentParts
  readonly prompt: string
  readonly messages: readonly ModelMessage[]
  readonly schema: OutputSchema | undefined
  readonly schemaDigest: string
  readonly evidence: boolean
  readonly openTools: OpenTools
  readonly budget: Budget & { readonly steps: number }
  readonly price: Price | undefined
  readonly warnings: readonly string[]
  readonly routes: Routes | undefined
  readonly maxRepairs: number
  readonly signal: AbortSignal | undefined
  readonly options: RunOptions
  /** Whether it begins with data that looks like instructions. */
  readonly tainted: boolean
  /** About which calls people are asked, also when it goes on elsewhere. */
  readonly asks: 'always' | 'changes' | undefined
  /** By which the relay judges its calls. */
  readonly policy: RunPolicy | undefined
  /** Default: a new one. */
  readonly runId: string | undefined
}

/** Checks everything a caller gave. Throws `validation`, `schema_invalid` or `unsupported`. */
export function createTask(agent: AgentParts, prompt: string, options: RunOptions, origin: TaskOrigin): Task {
  refuseUnknownOptions(options)
  const { type, parent, earlier, history, runId = ownRunId(options) } = origin
  const { maxRepairs = 2, evidence = false, signal } = options
  if (!Number.isInteger(maxRepairs) || maxRepairs < 0) {
    throw new CmdopError('validation', `Expected maxRepairs to be 0 or a positive whole number, got ${maxRepairs}.`)
  }
  if ((options.routes !== undefined) !== (type.name === 'router')) {
    throw new CmdopError('validation', 'Expected routes for the agent type "router", and for no other.')
  }
  const schemaInput = options.outputSchema ?? type.defaultSchema
  if (evidence && schemaInput === undefined) {
    throw new CmdopError('validation', 'Expected an outputSchema where evidence is asked for: a text has no fields.')
  }
  const restrictions = distinct([
    ...(history?.started.settings.restrictions ?? []),
    ...(parent?.restrictions ?? []),
    ...agent.restrictions,
    ...ownRestrictions(options),
  ])
  const policy = history?.started.settings.policy ?? parent?.policy ?? ownPolicy(options)
  if (policy !== undefined && history?.use !== 'recorded') assertJudged(agent, history?.use !== 'real')
  const { ask, wait } = approvalOf(options)
  const kept = keptAsks(ask) ?? history?.started.settings.asks
  const asks = ask ?? kept
  const fence = earlier?.fence ?? createFence(history?.started.nonce)
  const budget = parseBudget(options.budget)
  const ledger = createLedger(budget, parent?.ledger ?? options.sharedBudget)
  const price = priceOf(agent.source.identity, agent.prices)
  const { env, secrets } = environmentOf(options, agent.secrets)
  const redactor = runRedactor(secrets, [agent.model, agent.machine])
  const schema =
    schemaInput === undefined
      ? undefined
      : schemaOf(schemaInput, { agent, type, evidence, own: options.outputSchema !== undefined })
  return {
    ...agent,
    agent,
    type,
    prompt,
    options,
    fence,
    schema,
    schemaDigest: digestOf(schema?.toolSchema ?? null),
    evidence,
    labelled: evidence,
    messages: history?.started.messages ?? [
      ...(earlier?.messages ?? []),
      { role: 'user', content: redactor.known(firstMessage(prompt, options.context, fence)) },
    ],
    history,
    runId,
    tainted: history?.started.settings.tainted ?? parent?.tainted ?? earlier?.tainted ?? false,
    redactor,
    restrictions,
    openTools: openToolsOf(options, type, { asker: agent.asker, isRestricted: restrictions.some(isRestricted) }),
    env,
    budget,
    ledger,
    price,
    asks: kept,
    policy,
    gate: approvalGate(parent === undefined ? agent.gate : bothGates(parent.gate, agent.gate), asks, agent.machine),
    journal: runJournal(history === undefined || history.use === 'resume' ? agent.journal : noJournal, history),
    waitsForApproval: parent?.waitsForApproval ?? wait,
    warnings: priceWarnings(agent, ledger, price),
    routes: options.routes,
    maxRepairs,
    signal:
      parent === undefined || signal === undefined
        ? (parent?.signal ?? signal)
        : AbortSignal.any([parent.signal, signal]),
  }
}

/** Throws `validation` for what says nothing about approvals. */
function approvalOf({ approval = {} }: RunSettings): { ask: Asks | undefined; wait: boolean } {
  const { ask, wait = true } = typeof approval === 'object' ? approval : { ask: approval }
  const isKnown = ask === undefined || ask === 'always' || ask === 'changes' || typeof ask === 'function'
  if (isKnown && typeof wait === 'boolean') return { ask, wait }
  throw new CmdopError('validation', "Expected approval to be 'always', 'changes', a function, or { ask, wait }.")
}

/** Throws `validation` for what is no UUID. */
function ownRunId({ runId }: RunSettings): string | undefined {
  if (runId === undefined || RunId.safeParse(runId).success) return runId
  throw new CmdopError('validation', `Expected runId to be a UUID, got ${JSON.stringify(runId)}.`)
}

/** Throws `validation` for what is no policy of a run. */
function ownPolicy({ policy }: RunSettings): RunPolicy | undefined {
  if (policy === undefined) return undefined
  const parsed = RunPolicy.safeParse(policy)
  if (parsed.success) return parsed.data
  throw new CmdopError('validation', `The policy of the run is not one: ${z.prettifyError(parsed.error)}`)
}

/** Throws `unsupported` where nobody would judge the calls of a run by its policy. */
function assertJudged({ journal }: AgentParts, isWritten: boolean): void {
  if (isWritten && journal.isJudging === true) return
  throw new CmdopError(
    'unsupported',
    'The relay holds a run to its policy, and this run is not written down there; give the agent createRelayJournal(client.runs), or leave the policy out.',
  )
}

/** What a run that goes on holds to. Of a function nothing can be kept but that people were asked. */
function keptAsks(ask: Asks | undefined): 'always' | 'changes' | undefined {
  return typeof ask === 'function' ? 'changes' : ask
}

/** Throws `validation` for what is no restriction. */
export function ownRestrictions({ restrictions }: Pick<RunSettings, 'restrictions'>): readonly Restrictions[] {
  const known = knownRestrictions(restrictions)
  return known === undefined ? [] : [known]
}

/** What a run began with holds when it goes on, also where the agent asks for it again. */
function distinct(all: readonly Restrictions[]): readonly Restrictions[] {
  return all.filter((each, index) => all.findIndex((other) => isDeepStrictEqual(each, other)) === index)
}

interface SchemaOrigin {
  readonly agent: AgentParts
  readonly type: AgentType
  readonly evidence: boolean
  /** Whether it is the caller's, not that of the type. */
  readonly own: boolean
}

function schemaOf(schema: OutputSchemaInput, { agent, type, evidence, own }: SchemaOrigin): OutputSchema {
  const companions = { ...(own ? type.companions : {}), ...(evidence ? { evidence: evidenceCompanion } : {}) }
  return createOutputSchema(schema, { dialect: dialectOf(agent.source.identity.provider), companions })
}

function environmentOf({ env = {}, secrets = [] }: RunOptions, known: readonly string[]) {
  const values: Record<string, string> = {}
  const hidden = [...known, ...secrets.map((secret) => secret.reveal())]
  for (const [name, value] of Object.entries(env)) {
    values[name] = value instanceof Secret ? value.reveal() : value
    if (value instanceof Secret) hidden.push(value.reveal())
    else if (isSecretName(name) && value.length >= 4) hidden.push(value)
  }
  return { env: values, secrets: [...new Set(hidden)] }
}

/** A limit in dollars, also of a run it works for, needs a price: without one it is refused, unless tokens are limited too. */
function priceWarnings({ source }: AgentParts, { budgets }: Ledger, price: Price | undefined): string[] {
  const limited = budgets.filter(({ usd }) => usd !== undefined)
  if (price !== undefined || limited.length === 0) return []
  const { provider, id } = source.identity
  const unknown = `No price is known for ${provider}:${id}`
  const remedy = `Set prices: { '${provider}:${id}': { input, output } } in US dollars for a million tokens.`
  if (limited.every(({ tokens }) => tokens !== undefined))
    return [`${unknown}, so budget.usd was not kept, only budget.tokens. ${remedy}`]
  throw new CmdopError('unsupported', `${unknown}, so budget.usd cannot be kept. ${remedy} Or use budget.tokens.`)
}
