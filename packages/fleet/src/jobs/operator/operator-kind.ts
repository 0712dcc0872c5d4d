import type {
  Budget,
  InferOutput,
  OutputSchemaInput,
  ResumeOptions,
  RunOptions,
  RunSettings,
  StandardSchema,
} from '@cmdop/agent'
import { CmdopError } from '@cmdop/protocol'
import type { FleetClient } from '../../fleet-client.ts'
import { assertSameEnv, hashedEnv, readPlan, type RunPlan } from '../../ledger/run-plan.ts'
import type { FleetExecution } from '../../run/fleet-execution.ts'
import { DEFAULT_MACHINE_TIMEOUT_MS, type FleetOptions } from '../../run/fleet-options.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import { beginRun } from '../begin-run.ts'
import type { FleetKind } from '../kind.ts'
import { operatorJob } from './operator-job.ts'
import { OperatorPlan } from './operator-plan.ts'
import type { OperatorResult } from './operator-result.ts'
import { environmentOperators } from './operators.ts'

/** The same prompt for all, or one made for each machine. */
export type FleetPrompt = string | ((machine: FleetMachine) => string)

/** What the operators of a fleet run may use. */
export interface FleetBudget {
  /**
   * All machines together. Once it is spent, no further machine begins and the run stops; an operator that is at work has one more
   * step, for its answer.
   */
  readonly total?: Pick<Budget, 'steps' | 'tokens' | 'usd'> | undefined
  /** Each machine. `seconds` are at most `timeoutMs`. Default: 20 steps. */
  readonly perMachine?: Budget | undefined
}

/** A prompt over a fleet. */
export interface FleetRunOptions<Output>
  extends
    FleetOptions<OperatorResult<Output>>,
    Pick<
      RunSettings,
      | 'context'
      | 'tools'
      | 'builtInTools'
      | 'readOnlyTools'
      | 'env'
      | 'secrets'
      | 'evidence'
      | 'restrictions'
      | 'policy'
      | 'maxRepairs'
    > {
  /** Default `terminal`. */
  readonly agentType?: 'terminal' | 'chat' | 'command'
  readonly budget?: FleetBudget
  /** About which calls of its operator people are asked; see `approval` of `agent.run`. */
  readonly callApproval?: RunSettings['approval']
  /** What it is for, for people. Default: the prompt. */
  readonly title?: string
}

/** What no ledger keeps of a prompt over a fleet. */
export interface OperatorGiven extends Pick<RunSettings, 'tools' | 'env' | 'secrets'> {
  readonly callApproval?: RunSettings['approval']
  readonly outputSchema?: OutputSchemaInput | undefined
}

/** `fleet.run`: rows are of the schema's type with one, and of text without. */
export interface FleetRunMethod {
  <Schema extends StandardSchema>(
    prompt: FleetPrompt,
    options: FleetRunOptions<InferOutput<Schema>> & { readonly outputSchema: Schema },
  ): FleetExecution<OperatorResult<InferOutput<Schema>>>
  (
    prompt: FleetPrompt,
    options?: FleetRunOptions<string> & { readonly outputSchema?: undefined },
  ): FleetExecution<OperatorResult<string>>
  (
    prompt: FleetPrompt,
    options: FleetRunOptions<unknown> & { readonly outputSchema?: OutputSchemaInput | undefined },
  ): FleetExecution<OperatorResult>
}

export const operatorKind: FleetKind<OperatorResult, OperatorGiven> = {
  name: 'run',
  open: async (written, given) => {
    const { createSharedBudget, outputSchemaDigest } = await import('@cmdop/agent')
    const plan = readPlan(OperatorPlan, written)
    assertSameEnv(plan, revealed(given.env))
    assertSame('outputSchema', plan.schemaDigest, outputSchemaDigest(given.outputSchema))
    assertSame('callApproval', plan.asks, asksOf(given))
    assertSame('tools', plan.tools.join(', '), toolNames(given).join(', '))
    const total = createSharedBudget(plan.budget?.total ?? {})
    const options = optionsOf(plan, given)
    return {
      plan,
      // What an operator comes to do is not known before; its calls are judged one by one.
      callOf: (machine) => ({ method: 'tool', params: shownOf(plan, machine) }),
      job: async (site) => {
        const operators = site.client.agent ?? (await environmentOperators())
        const promptOf = (machine: FleetMachine) => promptIn(plan, machine)
        const { delivery } = plan
        return operatorJob({ ...site, operators, promptOf, options, regiven: regivenOf(given), total, delivery })
      },
    }
  },
}

/** A prompt that is begun on these machines. */
export function beginOperators(
  client: FleetClient,
  prompt: FleetPrompt,
  {
    find,
    ...options
  }: FleetRunOptions<unknown> & {
    readonly outputSchema?: OutputSchemaInput | undefined
    readonly find: (signal: AbortSignal) => Promise<readonly FleetMachine[]>
  },
): FleetExecution<OperatorResult> {
  const title = options.title ?? (typeof prompt === 'string' ? prompt : 'A prompt for each machine')
  const planFor = async (machines: readonly FleetMachine[]) => {
    const plan = await planOfOperators(machines, prompt, options)
    const [first] = machines
    // What is wrong with the options or the model is told now, once.
    if (first !== undefined) {
      const { createSharedBudget } = await import('@cmdop/agent')
      const operators = client.agent ?? (await environmentOperators())
      const sharedBudget = createSharedBudget(plan.budget?.total ?? {})
      const all = { ...optionsOf(plan, options), sharedBudget, machine: client.handle(first) }
      operators.runStream(promptIn(plan, first), all)
    }
    return plan
  }
  return beginRun(client, { kind: operatorKind, title, find, planFor }, options)
}

async function planOfOperators(
  machines: readonly FleetMachine[],
  prompt: FleetPrompt,
  options: FleetRunOptions<unknown> & OperatorGiven,
): Promise<Omit<OperatorPlan, keyof RunPlan>> {
  const { outputSchemaDigest } = await import('@cmdop/agent')
  const { agentType, context, budget, restrictions, policy, evidence, maxRepairs, builtInTools, readOnlyTools } =
    options
  const plan = {
    prompt:
      typeof prompt === 'function'
        ? { each: Object.fromEntries(machines.map((machine) => [machine.id, prompt(machine)])) }
        : { all: prompt },
    agentType,
    context,
    budget,
    restrictions,
    policy,
    evidence,
    maxRepairs,
    builtInTools: builtInTools?.slice(),
    readOnlyTools: readOnlyTools?.slice(),
    env: hashedEnv(revealed(options.env)),
    asks: asksOf(options),
    schemaDigest: outputSchemaDigest(options.outputSchema),
    tools: toolNames(options),
  }
  refuseSecrets(JSON.stringify([plan.prompt, plan.context]), options)
  return plan
}

/** A plan is kept by the relay. Throws `validation` for one with a secret in it. */
function refuseSecrets(text: string, { secrets = [], env = {} }: OperatorGiven): void {
  const hidden = [...secrets, ...Object.values(env).filter((value) => typeof value !== 'string')]
  if (hidden.every((secret) => !text.includes(JSON.stringify(secret.reveal()).slice(1, -1)))) return
  throw new CmdopError('validation', 'Expected prompt and context without a secret: the relay keeps them. Use env.')
}

/** Options of a run that begins, on any machine. */
function optionsOf(plan: OperatorPlan | Omit<OperatorPlan, keyof RunPlan>, given: OperatorGiven): RunOptions {
  const { agentType, context, budget, restrictions, policy, evidence, maxRepairs, builtInTools, readOnlyTools } = plan
  const timeoutMs = ('timeoutMs' in plan ? plan.timeoutMs : undefined) ?? DEFAULT_MACHINE_TIMEOUT_MS
  const { perMachine } = budget ?? {}
  const seconds = Math.min(timeoutMs / 1000, perMachine?.seconds ?? Number.POSITIVE_INFINITY)
  const kept = { agentType, context, restrictions, policy, evidence, maxRepairs, builtInTools, readOnlyTools }
  return { ...kept, ...regivenOf(given), budget: { ...perMachine, seconds } } as RunOptions
}

function regivenOf({ outputSchema, tools, env, secrets, callApproval: approval }: OperatorGiven): ResumeOptions {
  return { outputSchema, tools, env, secrets, approval }
}

/** A run of an operator as people see it. */
function shownOf(plan: OperatorPlan, machine: FleetMachine): Record<string, unknown> {
  const { agentType = 'terminal', restrictions = {}, builtInTools, tools, asks } = plan
  const what = { prompt: promptIn(plan, machine), agentType, restrictions, tools, callApproval: asks }
  return builtInTools === undefined ? what : { ...what, builtInTools }
}

function promptIn({ prompt }: Pick<OperatorPlan, 'prompt'>, machine: FleetMachine): string {
  const own = 'all' in prompt ? prompt.all : prompt.each[machine.id]
  if (own !== undefined) return own
  throw new CmdopError('validation', `The plan of the run has no prompt for ${machine.name}.`)
}

function assertSame(what: string, began: string, given: string): void {
  if (began === given) return
  throw new CmdopError('validation', `The run began with another ${what}; give the same again, as it is not kept.`)
}

function toolNames({ tools = {} }: OperatorGiven): string[] {
  return Object.keys(tools).toSorted()
}

/** About which calls people are asked; of a function only that there is one. */
function asksOf({ callApproval: approval }: OperatorGiven): OperatorPlan['asks'] {
  const ask = typeof approval === 'object' ? approval.ask : approval
  return typeof ask === 'function' ? 'some' : (ask ?? 'none')
}

function revealed(env: OperatorGiven['env']): Record<string, string> | undefined {
  if (env === undefined) return undefined
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, typeof value === 'string' ? value : value.reveal()]),
  )
}
