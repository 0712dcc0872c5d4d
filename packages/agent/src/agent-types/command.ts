import type { RunState } from '../run/run-state.ts'
import { runCommand } from '../tools/run-command.ts'
import type { AgentType } from './agent-type.ts'

/** Runs exactly one command, and makes the answer of its real output. */
export const command: AgentType = {
  name: 'command',
  builtIns: ['run_command'],
  instructions: [
    'You run exactly one command: choose the one whose output answers the question, and call run_command once.',
    'Nobody can answer a question of a command; use flags that make it not ask.',
  ],
  oneAtATime: true,
  offer: (state) =>
    hasRun(state)
      ? { tools: false, answer: true }
      : { tools: true, answer: false, missing: 'Call run_command first: the answer comes from its output.' },
  refuse: (_, state) => (hasRun(state) ? 'this agent runs exactly one command, and it has run.' : undefined),
}

/** A command that could not be started is not the one, nor is a call of another tool. */
function hasRun({ toolCalls }: RunState): boolean {
  return toolCalls.some(({ tool, outcome }) => tool === runCommand.name && outcome === 'done')
}
