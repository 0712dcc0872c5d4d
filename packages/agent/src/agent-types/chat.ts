import type { AgentType } from './agent-type.ts'

/** Talks. It has no tool unless the caller gives it some, and keeps its conversation in `agent.conversation()`. */
export const chat: AgentType = {
  name: 'chat',
  builtIns: [],
  instructions: [
    'You talk with a person about this machine. Say so when you would need to look and have no tool for it.',
  ],
}
