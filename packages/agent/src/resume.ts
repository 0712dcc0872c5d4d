import { CmdopError } from '@cmdop/protocol'
import { type AgentType, agentTypeNames } from './agent-types/agent-type.ts'
import { agentTypeOf } from './agent-types/agent-types.ts'
import { type HistoryUse, historyOf } from './journal/history.ts'
import { assertSameMachine } from './journal/same-run.ts'
import { executesPlan } from './plan/executes-plan.ts'
import type { RunResult } from './run/run-result.ts'
import { createRunStream } from './run/run-stream.ts'
import { type AgentParts, createTask, type RunOptions } from './run/task.ts'
import type { InferOutput, StandardSchema } from './standard-schema.ts'
import type { BuiltInToolName } from './tools/built-in-tools.ts'

/**
 * What a run goes on with that no journal keeps. The rest is as it began: prompt, type, budget, restrictions, tools of the
 * machine. `context` is for a router whose handler is a function.
 */
export type ResumeOptions = Pick<
  RunOptions,
  'outputSchema' | 'tools' | 'env' | 'secrets' | 'approval' | 'signal' | 'routes' | 'context' | 'sharedBudget'
>

/** How a run is played. */
export interface ReplayOptions extends ResumeOptions {
  /** Whether its commands and other calls are taken from the journal, or made again on this machine. Default `recorded`. */
  readonly commands?: 'recorded' | 'real' | undefined
}

/** Takes the id of a run, and what the journal does not keep. */
export interface ResumeMethod<Options extends object> {
  <Schema extends StandardSchema>(
    runId: string,
    options: Options & { readonly outputSchema: Schema },
  ): Promise<RunResult<InferOutput<Schema>>>
  (runId: string, options?: Options): Promise<RunResult>
}

/** Goes on with a run, or plays it. See `Agent.resume` and `Agent.replay`. */
export async function goThrough(
  parts: AgentParts,
  runId: string,
  { use, options }: { use: HistoryUse; options: ResumeOptions },
): Promise<RunResult> {
  const history = await historyOf(parts, runId, use)
  const { agentType, settings } = history.started
  if (use === 'resume') assertSameMachine(history, parts.machine)
  const type = typeOf(agentType)
  const { budget, maxRepairs, evidence, builtInTools, readOnlyTools } = settings
  const all: RunOptions = {
    ...options,
    budget,
    maxRepairs,
    evidence,
    readOnlyTools,
    builtInTools: builtInTools as readonly BuiltInToolName[] | undefined,
  }
  return createRunStream(createTask(parts, history.started.title, all, { type, history })).result
}

/** Of a run, or of a plan that is executed. */
function typeOf(name: string): AgentType {
  const known = agentTypeNames.find((each) => each === name)
  if (known !== undefined) return agentTypeOf(known)
  if (name === executesPlan.name) return executesPlan
  throw new CmdopError('unsupported', `A run of type ${name} is of a newer version; go on with that one.`)
}
