import { Plan, PlanSteps } from '../plan/plan.ts'
import { planExecutor } from '../plan/execute-plan.ts'
import { jsonSchemaOf } from '../output/json-schema.ts'
import type { Companion } from '../output/output-schema.ts'
import { operate } from '../run/operate.ts'
import { readOnlyToolNames } from '../tools/built-in-tools.ts'
import type { AgentType } from './agent-type.ts'

/** The plan, where the caller asks for an answer of its own: it comes beside it. */
const planCompanion: Companion = {
  schema: () => {
    const { $schema: _, ...schema } = jsonSchemaOf(PlanSteps)
    return schema
  },
  check: (given) => {
    const parsed = PlanSteps.safeParse(given)
    if (parsed.success) return { value: parsed.data }
    return { issues: parsed.error.issues.map(({ path, message }) => `${['plan', ...path].join('.')}: ${message}`) }
  },
}

/** Looks, changes nothing, and gives a plan that can be executed step by step. */
export const planner: AgentType = {
  name: 'planner',
  builtIns: readOnlyToolNames,
  instructions: [
    'You plan work on this machine and do none of it: your tools only read. Find out how things are first.',
    'Each step of the plan is one command, in a process of its own, that asks no question.',
    'The directory a step ends in and the variables it exports carry over to the next.',
  ],
  readOnly: true,
  defaultSchema: PlanSteps,
  companions: { plan: planCompanion },
  async *work(task, context) {
    const accepted = yield* operate(task, context)
    const steps = PlanSteps.parse(accepted.beside['plan'] ?? accepted.output).steps
    const plan = new Plan(steps, planExecutor({ ...task, tainted: context.state.tainted }))
    context.state.plan = plan
    return accepted.beside['plan'] === undefined ? { ...accepted, output: plan } : accepted
  },
}
