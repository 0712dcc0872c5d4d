import type { Machine } from '@cmdop/core'
import type { Agent } from '../agent.ts'

/** Where a router may send its task, by name. */
export type Routes = Readonly<Record<string, Route>>

/** One handler. */
export interface Route {
  /** What it is for; the model chooses by it. */
  readonly description: string
  /** An agent, a machine (which gets an operator with this agent's model), or a function. */
  readonly to: Agent | Machine | RouteFunction
}

/** A function as a handler. What it gives is the run's output, and must fit its schema. */
export type RouteFunction = (request: RouteRequest) => unknown

/** What a function is given. */
export interface RouteRequest {
  /** The task as the model put it. */
  readonly prompt: string
  /** The context of the run, as the caller gave it. */
  readonly context: unknown
  /** Aborted when the run ends. */
  readonly signal: AbortSignal
}
