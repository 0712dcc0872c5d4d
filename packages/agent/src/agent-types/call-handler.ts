import { refuseNew } from '../journal/history.ts'
import { inDoubt } from '../calls/past-call.ts'
import { asJson } from '../run/as-json.ts'
import { digestOf } from '../run/digest.ts'
import { failureOfOwn } from '../run/own-function.ts'
import { unlessAborted } from '../run/patience.ts'
import type { Task } from '../run/task.ts'
import type { RouteFunction } from './routes.ts'

/** The one call of a run whose handler is a function, as its journal has it. */
const label = 'handler'

interface Decision {
  readonly handler: string
  readonly task: string
}

/** For which run a function is called. */
interface HandlerPlace {
  readonly task: Task
  readonly runId: string
  readonly signal: AbortSignal
  /** Runs with the run's span as the active one. */
  readonly within: <Result>(work: () => Result) => Result
}

/**
 * Calls a function that a router has chosen, once: it is written down before and after. Where it was in flight when its run
 * stopped, nobody knows what it did, so it is not called again: throws `unknown`.
 */
export async function callHandler(
  handler: RouteFunction,
  decision: Decision,
  { task, runId, signal, within }: HandlerPlace,
): Promise<unknown> {
  const { history, journal, redactor, options } = task
  const past = history?.use === 'real' ? undefined : history?.call(label)
  if (past?.ended !== undefined) return past.ended.call.output
  if (past?.started !== undefined) throw inDoubt(decision.handler).fatal
  refuseNew(label, history)
  const call = { toolCallId: label, tool: decision.handler, input: redactor.value({ prompt: decision.task }) }
  if (journal.isKept)
    await journal.append(runId, { type: 'call_started', label, ...call, digest: digestOf(call.input), callId: '' })
  const started = performance.now()
  const request = { prompt: decision.task, context: options.context, signal }
  const output = await unlessAborted(
    within(async () => handler(request)),
    signal,
  ).catch((error: unknown) => {
    throw signal.aborted ? error : failureOfOwn(`handler ${decision.handler}`, error)
  })
  signal.throwIfAborted()
  if (journal.isKept) {
    const record = {
      ...call,
      label,
      output: redactor.value(asJson(output)),
      isError: false,
      outcome: 'done' as const,
      suspicious: [],
      step: 0,
      durationMs: performance.now() - started,
    }
    await journal.append(runId, { type: 'call_ended', label, text: '', call: record, shownBytes: 0, carried: null })
  }
  return output
}
