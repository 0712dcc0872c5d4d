import type { ResumeOptions, RunOptions, RunResult, RunStream } from '@cmdop/agent'
import type { Machine } from '@cmdop/core'

/** What works on machines as AI operators: `client.agent` of the package `cmdop`. */
export interface FleetOperators {
  runStream(prompt: string, options: RunOptions & { readonly machine: Machine }): RunStream
  resume(runId: string, options: ResumeOptions & { readonly machine: Machine }): Promise<RunResult>
}

/** Operators of a client that has none: with the model that the environment configures. */
export async function environmentOperators(): Promise<FleetOperators> {
  const { createAgent } = await import('@cmdop/agent')
  return {
    runStream: (prompt, { machine, ...options }) => createAgent({ machine }).runStream(prompt, options),
    resume: (runId, { machine, ...options }) => createAgent({ machine }).resume(runId, options),
  }
}
