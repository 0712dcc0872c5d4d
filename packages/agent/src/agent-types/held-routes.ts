import { randomUUID } from 'node:crypto'
import type { Machine, Restrictions } from '@cmdop/core'
import { isRestricted } from '@cmdop/protocol'
import { unenforceable } from '../run/restricted-session.ts'
import type { Task } from '../run/task.ts'
import { createWorkplace } from '../run/workplace.ts'
import { createChildTask } from './child-task.ts'
import type { Route, RouteFunction, Routes } from './routes.ts'

/**
 * Finds out, before the model is asked, whether the restrictions of a router hold wherever it may send its task. Rejects with
 * `restriction_unenforceable`; nothing ran then.
 */
export async function refuseUnheld(task: Task, routes: Routes, signal: AbortSignal): Promise<void> {
  if (!task.restrictions.some(isRestricted)) return
  for (const [name, { to }] of Object.entries(routes)) {
    if (typeof to === 'function') throw ownFunction(name)
    await refuseUnheldOn(task, to, signal)
  }
}

async function refuseUnheldOn(task: Task, to: Exclude<Route['to'], RouteFunction>, signal: AbortSignal): Promise<void> {
  const { ledger, gate, waitsForApproval, restrictions, policy } = task
  const parent = { ledger, gate, signal, waitsForApproval, restrictions, policy, tainted: false }
  const child = createChildTask(task, to, { prompt: task.prompt, options: {}, parent })
  await prove(child.machine, child.restrictions, signal)
}

/** By doing it: a session in which they hold is opened, and closed again. */
async function prove(machine: Machine, restrictions: readonly Restrictions[], signal: AbortSignal): Promise<void> {
  const prompt = 'Finds out what can be held.'
  await using place = createWorkplace(machine, { prompt, runId: randomUUID(), restrictions })
  await place.open(signal)
}

function ownFunction(name: string) {
  return unenforceable('restrictions', {
    missing: `kernel that holds them of the function of the route ${name}, which runs in this process`,
    fix: 'Leave the route or the restrictions out.',
  })
}
