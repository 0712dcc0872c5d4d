import type { Companion } from '../output/output-schema.ts'
import type { OutputSchemaInput } from '../output/output-schema.ts'
import type { Work } from '../run/operate.ts'
import type { RunState } from '../run/run-state.ts'
import type { BuiltInToolName } from '../tools/built-in-tools.ts'
import type { Tool } from '../tools/tool.ts'

/** The types of agents. */
export const agentTypeNames = ['terminal', 'chat', 'command', 'router', 'planner'] as const

/** One of them. */
export type AgentTypeName = (typeof agentTypeNames)[number]

/** What makes a type of agent, over the one loop. */
export interface AgentType {
  /** `plan`: not an agent, but a plan that is executed. */
  readonly name: AgentTypeName | 'plan'
  /** Tools it has unless the caller names others. */
  readonly builtIns: readonly BuiltInToolName[]
  /** Said to the model at the beginning. */
  readonly instructions: readonly string[]
  /** Takes only tools that change nothing. */
  readonly readOnly?: true
  /** Calls of one step never run side by side. */
  readonly oneAtATime?: true
  /** Asked for when the caller gives no schema. */
  readonly defaultSchema?: OutputSchemaInput
  /** What the model gives beside the caller's answer. */
  readonly companions?: Readonly<Record<string, Companion>>
  /** What the next step offers. Default: everything. */
  readonly offer?: (state: RunState) => Offer
  /** Why a call may not run now; undefined: it may. */
  readonly refuse?: (tool: Tool, state: RunState) => string | undefined
  /** Goes around the loop. Default: the loop alone. */
  readonly work?: Work
}

/** What a step offers to the model. */
export interface Offer {
  readonly tools: boolean
  readonly answer: boolean
  /** What has to come before an answer is taken; undefined: it may come now. */
  readonly missing?: string
}
