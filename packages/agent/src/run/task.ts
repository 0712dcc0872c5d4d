import type { Machine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import type { ModelSource } from '../model/model-error.ts'
import type { ProviderOptions } from '../model/model-step.ts'
import type { ModelObject } from '../model/observed-model.ts'
import { createOutputSchema, type OutputSchema, type OutputSchemaInput } from '../output/output-schema.ts'
import { type Budget, parseBudget } from './budget.ts'
import { createFence, type Fence } from './fence.ts'
import { firstMessage } from './prompt.ts'

/** Options of one run, apart from what its answer must be. */
export interface RunSettings {
  /** The only type there is; the others (`chat`, `command`, `router`, `planner`) are refused with `unsupported`. */
  readonly agentType?: 'terminal' | undefined
  /** Any JSON for the model to use as data; at most 64 KiB. */
  readonly context?: unknown
  readonly budget?: Budget | undefined
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

/** What an agent gives to each of its runs. */
export interface AgentParts {
  readonly machine: Machine
  readonly model: ModelObject
  readonly source: ModelSource
  readonly providerOptions: ProviderOptions | undefined
  readonly maxRetries: number
  readonly idleTimeoutMs: number
}

/** A run whose input has been checked. Nothing has been sent. */
export interface Task extends AgentParts {
  readonly prompt: string
  readonly firstMessage: string
  readonly schema: OutputSchema | undefined
  readonly fence: Fence
  readonly budget: Budget & { readonly steps: number }
  readonly maxRepairs: number
  readonly signal: AbortSignal | undefined
}

/** Checks everything a caller gave. Throws `validation`, `schema_invalid` or `unsupported`. */
export function createTask(agent: AgentParts, prompt: string, options: RunOptions): Task {
  const { outputSchema, agentType = 'terminal', context, maxRepairs = 2 } = options
  if (agentType !== 'terminal') {
    throw new CmdopError(
      'unsupported',
      `Expected agentType to be "terminal", the only one there is, got "${String(agentType)}".`,
    )
  }
  if (!Number.isInteger(maxRepairs) || maxRepairs < 0) {
    throw new CmdopError('validation', `Expected maxRepairs to be 0 or a positive whole number, got ${maxRepairs}.`)
  }
  const fence = createFence()
  return {
    ...agent,
    prompt,
    fence,
    firstMessage: firstMessage(prompt, context, fence),
    schema: outputSchema === undefined ? undefined : createOutputSchema(outputSchema),
    budget: parseBudget(options.budget),
    maxRepairs,
    signal: options.signal,
  }
}
