import { CmdopError } from '@cmdop/protocol'
import { type AgentTypeName, agentTypeNames } from './agent-types/agent-type.ts'
import { agentTypeOf } from './agent-types/agent-types.ts'
import { createHistory, type History, type HistoryUse } from './journal/history.ts'
import { readEntries } from './journal/stored-entries.ts'
import type { RunResult } from './run/run-result.ts'
import { createRunStream } from './run/run-stream.ts'
import { type AgentParts, createTask, type RunOptions } from './run/task.ts'
import type { InferOutput, StandardSchema } from './standard-schema.ts'
import type { BuiltInToolName } from './tools/built-in-tools.ts'

/** What a run goes on with that no journal keeps. The rest is as it began: prompt, type, budget, tools of the machine. */
export type ResumeOptions = Pick<RunOptions, 'outputSchema' | 'tools' | 'env' | 'secrets' | 'approval' | 'signal'>

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
  const { agentType, machineId, settings } = history.started
  if (use === 'resume' && machineId !== parts.machine.id)
    throw new CmdopError(
      'conflict',
      `The run ${runId} works on the machine ${machineId}, and this agent on another one.`,
    )
  const type = agentTypeOf(resumable(agentType))
  const { budget, maxRepairs, evidence, builtInTools, readOnlyTools } = settings
  const all: RunOptions = {
    ...options,
    agentType: type.name,
    budget,
    maxRepairs,
    evidence,
    readOnlyTools,
    builtInTools: builtInTools as readonly BuiltInToolName[] | undefined,
  }
  return createRunStream(createTask(parts, history.started.title, all, { type, history })).result
}

async function historyOf({ journal }: AgentParts, runId: string, use: HistoryUse): Promise<History> {
  if (journal.read === undefined)
    throw new CmdopError('unsupported', 'The journal of this agent cannot be read, so no run can be gone on with.')
  const entries = readEntries(await journal.read(runId))
  if (entries.length === 0) throw new CmdopError('not_found', `There is no run ${runId} in the journal of this agent.`)
  const history = createHistory(runId, entries, use)
  if (use === 'resume' || history.ended?.status === 'completed') return history
  throw new CmdopError('conflict', `The run ${runId} has no answer, so it cannot be played; resume it.`)
}

/** A router's work is that of its handler, which is a run of its own; a plan is executed for whoever has it. */
function resumable(agentType: string): AgentTypeName {
  const name = agentTypeNames.find((each) => each === agentType)
  if (name !== undefined && name !== 'router') return name
  const instead =
    name === 'router'
      ? 'resume the run of its handler, or start it again'
      : 'look at what its steps did, and execute what is left as another plan'
  throw new CmdopError('unsupported', `A run of type ${agentType} is not gone on with as a whole: ${instead}.`)
}
