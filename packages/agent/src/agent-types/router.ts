import { CmdopError, isMissing } from '@cmdop/protocol'
import * as z from 'zod/v4'
import type { ProgressEvent, RunEndEvent } from '../run/run-events.ts'
import { type Accepted, approvalNeeded, operate, type WorkContext } from '../run/operate.ts'
import { runEvents } from '../run/run-stream.ts'
import type { ParentRun, RunOptions, Task } from '../run/task.ts'
import { createOutputSchema } from '../output/output-schema.ts'
import { dialectOf } from '../output/dialect.ts'
import { actsOnMachine, type History, historyOf, refuseNew } from '../journal/history.ts'
import { assertSameMachine } from '../journal/same-run.ts'
import { digestOf } from '../run/digest.ts'
import { handlerRunIdOf } from '../run/call-id.ts'
import { callHandler } from './call-handler.ts'
import { childParts, createChildTask } from './child-task.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { AgentType } from './agent-type.ts'
import { refuseUnheld } from './held-routes.ts'
import type { Route, RouteFunction, Routes } from './routes.ts'

/** Sends a task to the handler that fits, and gives its result with the reason for the choice. */
export const router: AgentType = {
  name: 'router',
  builtIns: [],
  instructions: ['You do not do the task yourself: choose the handler that fits it best, and put the task for it.'],
  async *work(task, context) {
    const routes = task.routes ?? {}
    if (actsOnMachine(task.history)) await refuseUnheld(task, routes, context.signal)
    const decision = yield* decide(task, routes, context)
    const route = routes[decision.handler]
    if (route === undefined)
      throw new CmdopError('output_invalid', `There is no handler ${JSON.stringify(decision.handler)}.`)
    const { state, signal, telemetry } = context
    const within = <Result>(work: () => Result): Result => telemetry.within(work)
    const { waitsForApproval, restrictions, policy } = task
    state.route = { ...decision, run: null }
    if (typeof route.to === 'function')
      return handled(await callHandler(route.to, decision, { task, runId: state.runId, signal, within }), task)
    const options = childOptions(task)
    const parent: ParentRun = {
      ledger: task.ledger,
      gate: task.gate,
      signal,
      waitsForApproval,
      restrictions,
      policy,
      tainted: state.tainted,
    }
    const runId = handlerRunIdOf(task.history?.runId ?? state.runId)
    const history = await childHistory(task, route.to, runId)
    const child = createChildTask(task, route.to, { prompt: decision.task, options, parent, runId, history })
    state.warnings.push(...child.warnings)
    const end = yield* progressOf(runEvents(child, new AbortController()), within)
    const record = end.type === 'result' ? end.result : end.error.result
    state.route = { ...decision, run: record }
    state.addUsage(record.usage)
    for (const effect of record.effects) context.workplace.effects.add(effect)
    if (end.type === 'result') return { accepted: true, output: end.output, strategy: 'handler', beside: {} }
    state.partial = record.partial
    state.approvals.push(...record.approvals)
    if (record.status === 'needs_approval') throw approvalNeeded(task, state)
    throw new CmdopError(end.error.code, end.error.message, { cause: end.error, details: end.error.details })
  },
}

interface Decision {
  readonly handler: string
  readonly reason: string
  readonly task: string
}

async function* decide(
  task: Task,
  routes: Routes,
  context: WorkContext,
): AsyncGenerator<ProgressEvent, Decision, void> {
  const [first, ...others] = Object.keys(routes)
  if (first === undefined) throw new CmdopError('validation', 'Expected routes to name at least one handler.')
  const listed = Object.entries(routes).map(([name, { description }]: [string, Route]) => `${name}: ${description}`)
  const Choice = z.strictObject({
    handler: z.enum([first, ...others]).describe(`The handler. ${listed.join(' | ')}`),
    reason: z.string().min(1).describe('Why it is the right one, in a sentence.'),
    task: z.string().min(1).describe('The whole task for it, with everything it needs to know.'),
  })
  const schema = createOutputSchema(Choice, { dialect: dialectOf(task.source.identity.provider) })
  const desk = context.desk.forSchema(schema)
  const schemaDigest = digestOf(schema.toolSchema)
  const { output } = yield* operate({ ...task, schema, schemaDigest, evidence: false }, { ...context, desk })
  return Choice.parse(output)
}

/** What the handler's answer must be is what this run's must be; where it may go is for this run alone. */
function childOptions({ options }: Task): RunOptions {
  const { routes: _, agentType: __, signal: ___, budget: ____, approval: _____, runId: ______, ...rest } = options
  return rest
}

/** What the handler has done before, where this run goes on or is played. undefined: it had not begun. */
async function childHistory(
  task: Task,
  to: Exclude<Route['to'], RouteFunction>,
  runId: string,
): Promise<History | undefined> {
  if (task.history === undefined) return undefined
  const { use } = task.history
  const parts = childParts(task, to)
  const history = await historyOf(parts, runId, use).catch((error: unknown) => {
    if (isMissing(error) && use === 'resume') return undefined
    throw error
  })
  if (history?.ended === undefined) refuseNew('handler', task.history)
  if (history !== undefined && use === 'resume') assertSameMachine(history, parts.machine)
  return history
}

/** A function's result is judged by the schema of the run, as an answer of a model is. */
async function handled(value: unknown, { schema }: Task): Promise<Accepted> {
  if (schema === undefined) return { accepted: true, output: value, strategy: 'handler', beside: {} }
  const checked = await schema.check(value)
  if (checked.fits) return { accepted: true, output: checked.value, strategy: 'handler', beside: {} }
  throw new CmdopError(
    'output_invalid',
    `What the handler gave does not fit the schema: ${checked.issues.join('; ')}.`,
    {
      details: { issues: checked.issues },
    },
  )
}

/** The events of a run apart from its end, which is returned; it runs `within` that for which it works. */
async function* progressOf(
  events: AsyncGenerator<ProgressEvent | RunEndEvent, void, void>,
  within: Telemetry['within'],
): AsyncGenerator<ProgressEvent, RunEndEvent, void> {
  const taken = { next: () => within(() => events.next()), return: () => events.return() }
  let end: RunEndEvent | undefined
  for await (const event of { [Symbol.asyncIterator]: () => taken }) {
    if (event.type === 'result' || event.type === 'error') end = event
    else yield event
  }
  if (end === undefined) throw new CmdopError('server', 'A run ended without its last event; please report it.')
  return end
}
