import type { Denial } from './call-end.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { RunState } from '../run/run-state.ts'
import type { CallTask } from '../run/task.ts'
import type { OutputShelf } from '../context/output-shelf.ts'
import type { Workplace } from '../run/workplace.ts'
import type { Tool } from '../tools/tool.ts'

/** What the calls of one run share. */
export interface CallContext {
  readonly task: CallTask
  readonly state: RunState
  /** What may be called in this run. */
  readonly tools: readonly Tool[]
  /** Where commands run. */
  readonly workplace: Workplace
  readonly shelf: OutputShelf
  readonly signal: AbortSignal
  readonly telemetry: Pick<Telemetry, 'startTool'>
  /** What was denied, by digest, and how often it was asked for again. */
  readonly denials: Map<string, Denial>
  /** Bytes of output that a call may show of the run's room. Default: all there is. */
  readonly outputShare?: number
  /** Why no tool runs in this step; undefined: they run. */
  readonly closed: string | undefined
}
