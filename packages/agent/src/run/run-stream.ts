import { CmdopError, toCmdopError } from '@cmdop/protocol'
import { boundedOutput } from '../journal/bounded-fact.ts'
import { drift } from '../journal/drift.ts'
import { firstDifference } from '../journal/first-difference.ts'
import type { JournalFact } from '../ports/journal.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'
import { asJson } from './as-json.ts'
import { type AnswerDesk, createAnswerDesk } from './answer.ts'
import { carryNonceOf } from './call-id.ts'
import { isInterruption } from './interruption.ts'
import { operate } from './operate.ts'
import { withoutSecrets } from './own-function.ts'
import { lateSignal } from './patience.ts'
import { RunError } from './run-error.ts'
import type { RunEndEvent, RunEvent } from './run-events.ts'
import type { RunRecord, RunResult, RunStatus } from './run-result.ts'
import { type RunState, startRunState } from './run-state.ts'
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

/** Called by a run for whoever made it. */
export interface RunHooks {
  /** It is looked at for the first time. Throws when it must not begin. */
  readonly onStart?: () => void
  readonly onEnd?: () => void
  /** Its conversation, when it has an answer. */
  readonly onCompleted?: (state: Pick<RunState, 'messages' | 'tainted'>) => void
}

/** A run that has not started. Nothing is sent before it does. */
export function createRunStream<Output>(task: Task, hooks: RunHooks = {}): RunStream<Output> {
  const stop = new AbortController()
  const end = Promise.withResolvers<RunResult<Output>>()
  end.promise.catch(() => undefined)
  let events: AsyncGenerator<RunEvent<Output>, void, void> | undefined
  let begun = false
  const begin = (): void => {
    if (!begun) hooks.onStart?.()
    begun = true
  }
  const take = (): AsyncGenerator<RunEvent<Output>, void, void> => {
    if (events !== undefined) {
      throw new CmdopError('conflict', 'The events of this run are taken already. Start another run to iterate again.')
    }
    begin()
    return (events = settled(runEvents<Output>(task, stop, hooks), { end, hooks }))
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
      begin()
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

/** Milliseconds after the stop of a run in which its command is confirmed to be gone, and what it leaves is cleared up. */
const CLEARED_WITHIN_MS = 9_000

async function exhaust(events: AsyncGenerator<unknown, void, void>): Promise<void> {
  for await (const _ of events);
}

/** Passes events on, and settles the promise with the last one. */
async function* settled<Output>(
  events: AsyncGenerator<RunEvent<Output>, void, void>,
  { end, hooks }: { end: PromiseWithResolvers<RunResult<Output>>; hooks: RunHooks },
): AsyncGenerator<RunEvent<Output>, void, void> {
  for await (const event of events) {
    if (event.type === 'result' || event.type === 'error') hooks.onEnd?.()
    if (event.type === 'result') end.resolve(event.result)
    if (event.type === 'error') end.reject(event.error)
    yield event
  }
}

/** The events of a run with exactly one end, which is the last. */
export async function* runEvents<Output>(
  task: Task,
  stop: AbortController,
  hooks: RunHooks = {},
): AsyncGenerator<RunEvent<Output>, void, void> {
  const { type, source, ledger, messages, warnings, tainted, history } = task
  const goesOn =
    history?.use === 'resume'
      ? { runId: history.runId, elapsedMs: history.elapsedMs }
      : { runId: history === undefined ? task.runId : undefined }
  const state = startRunState({
    model: source.identity,
    agentType: type.name,
    ledger,
    messages,
    warnings,
    tainted,
    ...goesOn,
  })
  const desk = createAnswerDesk(task.schema, task.maxRepairs)
  const telemetry = startTelemetry({ runId: state.runId, agentType: type.name, model: source.identity })
  const limits = stopsAtLimits(task, stop)
  task.journal.stopWith(stop.signal)
  const prompt = task.redactor.text(task.prompt)
  const { runId } = state
  const operator = { runId, agentType: type.name, model: `${source.identity.provider}:${source.identity.id}` }
  const workplace = createWorkplace(task.machine.as?.({ operator }) ?? task.machine, {
    prompt,
    runId,
    restrictions: task.restrictions,
    carryNonce: carryNonceOf(runId, task.fence.nonce),
  })
  let left: Promise<void> | undefined
  const cleared = lateSignal(stop.signal, CLEARED_WITHIN_MS)
  // One that is only looked at again leaves its machine alone, unless that has to say what was changed.
  const isOver = history?.use === 'resume' && history.ended !== undefined
  const isAway = history?.use === 'recorded' || (isOver && task.restrictions.length === 0)
  const leave = async () => {
    // What could not be gone on with is left to whoever can.
    const isOthers = history?.use === 'resume' && !isOver && !task.journal.hasBegun
    if (isAway || isOthers || task.journal.isTakenOver) return
    await (left ??= workplace.close(cleared.signal).then((warnings) => void state.warnings.push(...warnings)))
  }
  let end: RunEndEvent<Output>
  let staysOpen = false
  try {
    stop.signal.throwIfAborted()
    const work = type.work ?? operate
    const { output, strategy, beside } = yield* work(task, { state, desk, workplace, signal: stop.signal, telemetry })
    const evidence = beside['evidence'] as RunRecord['evidence'] | undefined
    await writeEnd(task, runId, output)
    await leave()
    const record = state.record({ status: 'completed', output, evidence, strategy, ...known(desk, workplace) })
    hooks.onCompleted?.(state)
    end = { type: 'result', output: output as Output, result: record as RunResult<Output> }
  } catch (thrown) {
    // One that has not begun failed for that reason, whatever came of it meanwhile.
    const { failure = thrown } = (await task.journal.beginning()) ?? {}
    const error = withoutSecrets(failureOf(failure, { state, stop }), task.redactor)
    const canBeResumed = canGoOn(task, error, state)
    staysOpen = canBeResumed && needsPlace(error, state, workplace)
    if (staysOpen) state.warnings.push(...(await workplace.pause()))
    else await leave()
    const record = state.record({ status: statusOf(error, state), strategy: null, ...known(desk, workplace) })
    await writeFailure(task, runId, { error, status: record.status, canBeResumed })
    end = { type: 'error', error: new RunError(error, record as RunError['result']) }
  } finally {
    if (!staysOpen) await leave()
    cleared[Symbol.dispose]()
    limits[Symbol.dispose]() // Before the last event: a caller need not ask for another one after it.
  }
  const { status } = end.type === 'result' ? end.result : end.error.result
  telemetry.end(status, state.usage, end.type === 'error' ? end.error : undefined)
  yield end
}

function known({ attempts }: AnswerDesk, { sessionId, recordingId, effects }: Workplace) {
  return { attempts, sessionId, recordingId, effects: effects.list }
}

/** Why a run failed: it was stopped, or it threw. */
function failureOf(thrown: unknown, { state, stop }: { state: RunState; stop: AbortController }): CmdopError {
  const reason: unknown = stop.signal.aborted ? stop.signal.reason : thrown
  const error = toCmdopError(reason, 'server', 'The run met a fault of its own; please report it with its cause.')
  if (error.code === 'deadline' && stop.signal.aborted) state.stoppedBy = 'seconds'
  return error
}

interface Failure {
  readonly error: CmdopError
  readonly status: RunStatus
  readonly canBeResumed: boolean
}

async function writeFailure(
  { journal, redactor }: Task,
  runId: string,
  { error: { code, message }, status, canBeResumed }: Failure,
): Promise<void> {
  const fact: JournalFact = canBeResumed
    ? { type: 'run_stopped', status, code }
    : { type: 'run_ended', status, code, message: redactor.text(message), output: null }
  // The run has failed already; a journal that fails too has nothing to add, and the next reader sees a run without an end.
  if (journal.hasBegun) await journal.append(runId, fact).catch(() => undefined)
}

/** Whether `resume` can go on where it failed. */
function canGoOn({ journal }: Task, error: CmdopError, state: RunState): boolean {
  return journal.hasBegun && (isInterruption(error) || statusOf(error, state) === 'needs_approval')
}

/**
 * Whether a run that can go on needs its session then: for the variables in it, for a view that has its changes, or because a
 * command may still run there. A directory is in the journal.
 */
function needsPlace(error: CmdopError, state: RunState, { carried, restrictions }: Workplace): boolean {
  const { code } = error
  const isAtRest = code === 'model' || code === 'rate_limit' || statusOf(error, state) === 'needs_approval'
  return !isAtRest || carried?.hasVariables === true || restrictions?.dryRun === true
}

/** The run has its answer. One that is gone through again must come to the same. */
async function writeEnd({ journal, history, redactor }: Task, runId: string, output: unknown): Promise<void> {
  if (!journal.isKept && history === undefined) return
  const said = boundedOutput(redactor.value(asJson(output)))
  if (history === undefined || (history.ended === undefined && history.use === 'resume')) {
    await journal.append(runId, { type: 'run_ended', status: 'completed', code: null, output: said })
    return
  }
  const difference = firstDifference(history.ended?.output ?? null, said)
  if (difference !== undefined) throw drift('the end', difference)
}

function statusOf(error: CmdopError, state: RunState): RunStatus {
  if (error.code === 'cancelled') return 'cancelled'
  if (state.approvals.length > 0 && error.code === 'permission') return 'needs_approval'
  if (error.code !== 'budget' && error.code !== 'deadline') return 'failed'
  return state.partial === undefined ? 'budget' : 'partial'
}

/** The caller's signal and the run's seconds both stop it. Disposing takes both away. */
function stopsAtLimits({ signal, budget, history }: Task, stop: AbortController): Disposable {
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
  const { use, ended, elapsedMs } = history ?? {}
  // What is only gone through again takes no time.
  const isTimed = history === undefined || (use === 'resume' && ended === undefined)
  const timer =
    seconds === undefined || !isTimed ? undefined : setTimeout(expire, Math.max(0, seconds * 1000 - (elapsedMs ?? 0)))
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    },
  }
}
