import { machineToolNames } from '../tools/built-in-tools.ts'
import type { AgentType } from './agent-type.ts'

/** Works on the machine with every tool until it has the answer. */
export const terminal: AgentType = {
  name: 'terminal',
  builtIns: [...machineToolNames, 'ask_machine'],
  instructions: [
    'Each command is a process of its own. Of a shell string the directory and exported variables carry over to the next.',
    'Nobody can answer a question of a command; use flags that make it not ask.',
  ],
}
