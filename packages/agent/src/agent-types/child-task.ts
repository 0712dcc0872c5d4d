import type { Machine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import type { Agent } from '../agent.ts'
import { partsOf } from '../agent-parts.ts'
import type { History } from '../journal/history.ts'
import { type AgentParts, createTask, type ParentRun, type RunOptions, type Task } from '../run/task.ts'
import { terminal } from './terminal.ts'

interface ChildRun {
  readonly prompt: string
  readonly options: RunOptions
  readonly parent: ParentRun
  readonly runId?: string | undefined
  readonly history?: History | undefined
}

/** A run that works for another one: inside its budget, behind its gate, ended with it. */
export function createChildTask(task: Task, to: Agent | Machine, { prompt, options, ...origin }: ChildRun): Task {
  return createTask(childParts(task, to), prompt, options, { type: terminal, ...origin })
}

/** What the agent of a child is made of. */
export function childParts(task: Task, to: Agent | Machine): AgentParts {
  const parts = isMachine(to) ? { ...task.agent, machine: to } : partsOf(to)
  if (parts !== undefined) return parts
  throw new CmdopError('validation', 'Expected a route to lead to an agent of createAgent, a machine or a function.')
}

function isMachine(to: Agent | Machine): to is Machine {
  return 'exec' in to && 'facts' in to
}
