import type { AgentParts } from './run/task.ts'

/** What agents are made of, for runs that go from one to another. */
const parts = new WeakMap<object, AgentParts>()

/** Remembers what an agent is made of. */
export function rememberParts(agent: object, made: AgentParts): void {
  parts.set(agent, made)
}

/** What an agent of `createAgent` is made of; undefined for any other object. */
export function partsOf(agent: object): AgentParts | undefined {
  return parts.get(agent)
}
