import { CmdopError, toCmdopError } from '@cmdop/protocol'
import { type AnswerDesk, createAnswerDesk } from './answer.ts'
import { operate } from './operate.ts'
import { RunError } from './run-error.ts'
import type { RunEndEvent, RunEvent } from './run-events.ts'
import type { RunResult, RunStatus } from './run-result.ts'
import { startRunState } from './run-state.ts'
import type { Task } from './task.ts'
import { createWorkplace, type Workplace } from './workplace.ts'

/**
 * A run as a stream of events, once. It starts at the first `next()` or when `result` is read, whichever comes first,
 * and goes on as fast as its events are taken. Leaving the loop cancels the run and waits until its command is gone.
 */
export interface RunStream<Output = unknown> extends AsyncIterable<RunEvent<Output>>, AsyncDisposable {
  /**
   * The end of the run: the same value as the last event, or a rejection with its error. To read it starts the run, and
   * takes its events unless somebody iterates in the same turn. Rejects unnoticed if nobody looks.
   */
  readonly result: Promise<RunResult<Output>>
  /** Cancels the run; resolves when nothing of it is left. */
  cancel(): Promise<void>
}

/** A run that has not started. Nothing is sent before it does. */
export function createRunStream<Output>(task: Task): RunStream<Output> {
  const stop = new AbortController()
  const end = Promise.withResolvers<RunResult<Output>>()
  end.promise.catch(() => undefined)
  let events: AsyncGenerator<RunEvent<Output>, void, void> | undefined
  const take = (): AsyncGenerator<RunEvent<Output>, void, void> => {
    if (events !== undefined) {
      throw new CmdopError('conflict', 'The events of this run are taken already. Start another run to iterate again.')
    }
    return (events = settled(runEvents<Output>(task, stop), end))
  }
  const drain = async (): Promise<void> => {
    await Promise.resolve()
    if (events === undefined) await exhaust(take())
  }
  // Stops first, because a generator that waits for a command cannot be told to return.
  const cancel = async (): Promise<void> => {
    stop.abort(new CmdopError('cancelled', 'The caller left the run; what ran was stopped.'))
    await exhaust(events ?? take())
  }
  return {
    get result() {
      if (events === undefined) void drain()
      return end.promise
    },
    cancel,
    [Symbol.asyncDispose]: cancel,
    [Symbol.asyncIterator]: () => {
      const taken = take()
      const leave = async (): Promise<IteratorReturnResult<undefined>> => {
        await cancel()
        return { done: true, value: undefined }
      }
      return { next: () => taken.next(), return: leave }
    },
  }
}

async function exhaust(events: AsyncGenerator<unknown, void, void>): Promise<void> {
  for await (const _ of events);
}

/** Passes events on, and settles the promise with the last one. */
async function* settled<Output>(
  events: AsyncGenerator<RunEvent<Output>, void, void>,
  end: PromiseWithResolvers<RunResult<Output>>,
): AsyncGenerator<RunEvent<Output>, void, void> {
  for await (const event of events) {
    if (event.type === 'result') end.resolve(event.result)
    if (event.type === 'error') end.reject(event.error)
    yield event
  }
}

/** The events of a run with exactly one end, which is the last. */
async function* runEvents<Output>(task: Task, stop: AbortController): AsyncGenerator<RunEvent<Output>, void, void> {
  const state = startRunState(task.source.identity)
  const desk = createAnswerDesk(task.schema, task.maxRepairs)
  const limits = stopsAtLimits(task, stop)
  const workplace = createWorkplace(task.machine, { prompt: task.prompt, runId: state.runId })
  let end: RunEndEvent<Output>
  try {
    stop.signal.throwIfAborted()
    const { output, strategy } = yield* operate(task, { state, desk, workplace, signal: stop.signal })
    const record = state.record({ status: 'completed', output, strategy, ...known(desk, workplace) })
    end = { type: 'result', output: output as Output, result: record as RunResult<Output> }
  } catch (thrown) {
    const reason: unknown = stop.signal.aborted ? stop.signal.reason : thrown
    const error = toCmdopError(reason, 'server', 'The run met a fault of its own; please report it with its cause.')
    const record = state.record({ status: statusOf(error), strategy: null, ...known(desk, workplace) })
    end = { type: 'error', error: new RunError(error, record as RunError['result']) }
  } finally {
    await workplace[Symbol.asyncDispose]()
    limits[Symbol.dispose]() // Before the last event: a caller need not ask for another one after it.
  }
  yield end
}

function known({ attempts }: AnswerDesk, { sessionId, recordingId }: Workplace) {
  return { attempts, sessionId, recordingId }
}

function statusOf(error: CmdopError): RunStatus {
  if (error.code === 'cancelled') return 'cancelled'
  return error.code === 'budget' || error.code === 'deadline' ? 'budget' : 'failed'
}

/** The caller's signal and the run's seconds both stop it. Disposing takes both away. */
function stopsAtLimits({ signal, budget }: Task, stop: AbortController): Disposable {
  const cancel = (): void =>
    stop.abort(
      new CmdopError('cancelled', 'The caller cancelled the run; what ran was stopped.', { cause: signal?.reason }),
    )
  if (signal?.aborted) cancel()
  else signal?.addEventListener('abort', cancel, { once: true })
  const { seconds } = budget
  const expire = (): void =>
    stop.abort(
      new CmdopError(
        'deadline',
        `The run did not end within ${seconds} s and was stopped. Allow more with budget.seconds.`,
        {
          details: { limit: 'seconds', allowed: seconds },
        },
      ),
    )
  const timer = seconds === undefined ? undefined : setTimeout(expire, seconds * 1000)
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    },
  }
}
