import { createAgent } from '../agent.ts'
import { RunError } from '../run/run-error.ts'
import { localMachine } from './local-machine.ts'
import { sampleFacts } from './sample-facts.ts'
import { scriptedModel, type ScriptedStep } from './scripted-model.ts'

/** A call of `final_result` for a schema with the one field `word`. */
export const answer = { tool: 'final_result', input: { word: 'yes' } }

/** A call of `run_command` with a shell string. */
export function shell(command: string, more: object = {}) {
  return { tool: 'run_command', input: { command, ...more } }
}

/** An agent on this machine whose model follows a script; declared with `using`, the script must be used up. */
export function scriptedWorld(steps: readonly ScriptedStep[]) {
  const model = scriptedModel(steps)
  const machine = localMachine(sampleFacts())
  const agent = createAgent({ machine, model, env: {} })
  return { agent, machine, model, seen: model.seen, [Symbol.dispose]: () => model.assertComplete() }
}

/** The error of a run that must fail. */
export async function failure(run: Promise<unknown>): Promise<RunError> {
  try {
    await run
  } catch (error) {
    if (error instanceof RunError) return error
    throw error
  }
  throw new Error('Expected the run to fail.')
}
