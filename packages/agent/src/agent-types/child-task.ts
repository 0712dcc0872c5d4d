import type { Machine } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import type { Agent } from '../agent.ts'
import { partsOf } from '../agent-parts.ts'
import { createTask, type ParentRun, type RunOptions, type Task } from '../run/task.ts'
import { terminal } from './terminal.ts'

interface ChildRun {
  readonly prompt: string
  readonly options: RunOptions
  readonly parent: ParentRun
}

/** A run that works for another one: inside its budget, behind its gate, ended with it. */
export function createChildTask(task: Task, to: Agent | Machine, { prompt, options, parent }: ChildRun): Task {
  const parts = isMachine(to) ? { ...task.agent, machine: to } : partsOf(to)
  if (parts === undefined) {
    throw new CmdopError('validation', 'Expected a route to lead to an agent of createAgent, a machine or a function.')
  }
  return createTask(parts, prompt, options, { type: terminal, parent })
}

function isMachine(to: Agent | Machine): to is Machine {
  return 'exec' in to && 'facts' in to
}
