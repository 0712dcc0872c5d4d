import { setTimeout as wait } from 'node:timers/promises'
import type { ResumeOptions, RunError, RunOptions, RunResult, SharedBudget } from '@cmdop/agent'
import { CmdopError, isCmdopError, isMissing, isRetryable } from '@cmdop/protocol'
import { runIdOf } from '../../call-id.ts'
import type { FleetClient } from '../../fleet-client.ts'
import type { Done, FleetStop, Job, JobContext } from '../../run/conduct.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { JobSite } from '../kind.ts'
import { Orders, type OrdersOptions } from '../orders.ts'
import { watchdog } from '../watchdog.ts'
import { type OperatorResult, outcomeOfRun, resultOfRun } from './operator-result.ts'
import type { FleetOperators } from './operators.ts'

/** Milliseconds after its deadline in which a run that is stopped ends; see `docs/operator.md`. */
const ENDED_WITHIN_MS = 15_000

/** Milliseconds between two looks at a run that another script works on. */
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5000

export interface OperatorJobOptions<Output> extends JobSite<OperatorResult<Output>> {
  readonly operators: FleetOperators
  readonly promptOf: (machine: FleetMachine) => string
  /** Of a run that begins, but for its id; and of one that goes on. */
  readonly options: RunOptions
  readonly regiven: ResumeOptions
  readonly delivery: OrdersOptions['delivery']
  /** Spent from by all machines. */
  readonly total: SharedBudget
}

/** An AI operator on each machine, whose run has an id of its own: whoever asks again goes on with it. */
export function operatorJob<Output>(job: OperatorJobOptions<Output>): Job<OperatorResult<Output>> {
  const orders = new Orders(job)
  for (const { result } of job.done.values())
    if (result !== null) job.total.add({ steps: result.steps, tokens: result.usage.totalTokens, usd: result.cost })
  return {
    mayRepeat: orders.mayRepeat,
    run: async (machine, context) => {
      const deadline = watchdog(job.timeoutMs + ENDED_WITHIN_MS, context)
      try {
        const { signal } = deadline
        const order = (number: number) => operate(job, { machine, order: number }, { ...context, signal })
        return await deadline.race(orders.give(machine, context, order))
      } finally {
        deadline.end()
      }
    },
    stop: () => stopOf(job.total),
  }
}

async function operate<Output>(
  job: OperatorJobOptions<Output>,
  { machine, order }: { readonly machine: FleetMachine; readonly order: number },
  { signal, attempt, leave }: JobContext,
): Promise<Done<OperatorResult<Output>>> {
  const { runId: fleetRunId, generationOf, resumedFrom, client, operators, promptOf, regiven, options, total } = job
  const generation = generationOf(machine)
  const runId = runIdOf({ runId: fleetRunId, step: 'run', machineId: machine.id, generation, order })
  const common = { machine: client.handle(machine), signal, sharedBudget: total }
  const goOn = () => operators.resume(runId, { ...regiven, ...common })
  const begin = () => operators.runStream(promptOf(machine), { ...options, ...common, runId }).result
  try {
    const mayBeThere = attempt > 1 || resumedFrom(machine) !== undefined
    return ended(await (mayBeThere ? goOn().catch(unlessMissing(begin)) : begin()))
  } catch (cause) {
    if (!isRunError(cause)) throw cause
    if (cause.code !== 'conflict' || leave.aborted) return failed(job, cause, attempt)
    // The order of another script with the same run came first: what that one comes to is the answer.
    await whenAtRest(client, runId, signal)
    return ended(await goOn())
  }
}

/** What is not there has not begun, and so begins now. */
function unlessMissing<Result>(begin: () => Promise<Result>): (error: unknown) => Promise<Result> {
  return (error) => {
    if (isMissing(error) && !isRunError(error)) return begin()
    throw error
  }
}

function ended<Output>(record: RunResult): Done<OperatorResult<Output>> {
  return { outcome: 'ok', result: resultOfRun(record as RunResult<Output>) }
}

/** A run that stopped for what may pass is gone on with where there are tries left. */
function failed<Output>(
  { retries }: OperatorJobOptions<Output>,
  error: RunError,
  attempt: number,
): Done<OperatorResult<Output>> {
  const { code, message, details, result } = error
  if (attempt <= retries && result.status === 'failed' && isRetryable(code, { idempotent: true }))
    throw new CmdopError(code, message, { details, cause: error, idempotent: true })
  const record = { ...result, output: undefined } as Parameters<typeof resultOfRun<Output>>[0]
  return { outcome: outcomeOfRun(error, result), result: resultOfRun(record), error }
}

/** Until nobody works on the run. Throws what the relay says, and `cancelled`. */
async function whenAtRest({ runs }: FleetClient, runId: string, signal: AbortSignal): Promise<void> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
    const { state } = await runs.get(runId, { signal })
    if (state !== 'running') return
    await wait(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
    if (signal.aborted) throw new CmdopError('cancelled', 'It was cancelled.', { details: { confirmed: false } })
  }
}

/** Why no further machine begins: the budget of all machines is spent. */
function stopOf(total: SharedBudget): FleetStop | undefined {
  const { uncounted } = total
  if (uncounted !== undefined)
    return { reason: 'budget', message: `A model did not count ${uncounted}, so budget.total cannot be kept.` }
  const spent = total.spent()
  if (spent === undefined) return undefined
  const { limit, used, allowed } = spent
  return { reason: 'budget', message: `The machines used ${used} of ${allowed} ${limit} of budget.total.` }
}

/** By its shape: it may be of another copy of the package. */
function isRunError(error: unknown): error is RunError {
  return isCmdopError(error) && 'result' in error && error.name === 'RunError'
}
