import { CmdopError } from '@cmdop/protocol'
import { type AgentType, type AgentTypeName, agentTypeNames } from './agent-type.ts'
import { chat } from './chat.ts'
import { command } from './command.ts'
import { planner } from './planner.ts'
import { router } from './router.ts'
import { terminal } from './terminal.ts'

const agentTypes: Readonly<Record<AgentTypeName, AgentType>> = { terminal, chat, command, router, planner }

/** A type by its name. Throws `validation` for one that there is not. */
export function agentTypeOf(name: AgentTypeName = 'terminal'): AgentType {
  if (Object.hasOwn(agentTypes, name)) return agentTypes[name]
  throw new CmdopError(
    'validation',
    `Expected agentType to be one of ${agentTypeNames.join(', ')}, got ${JSON.stringify(name)}.`,
  )
}
