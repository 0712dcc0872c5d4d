import { type CmdopError, isCmdopError } from '@cmdop/protocol'
import { beginCopy } from '../../jobs/copy/copy-kind.ts'
import { beginExec } from '../../jobs/exec/exec-kind.ts'
import { goOnWithRun } from '../../jobs/go-on.ts'
import type { AnyResult, FleetResumeOptions } from '../../jobs/kinds.ts'
import { beginOperators } from '../../jobs/operator/operator-kind.ts'
import type { FleetExecution } from '../../run/fleet-execution.ts'
import type { FleetMachine } from '../../run/fleet-row.ts'
import type { StepReport } from '../playbook-report.ts'
import type { MachineStep } from '../steps/step.ts'
import { asFleetRun } from './as-fleet-run.ts'
import { forEach } from './for-each.ts'
import { notBegun } from './judge-step.ts'
import type { Scene, StepSite } from './scene.ts'

/** A command, an operator or a copy on each machine. */
export async function performMachineStep(scene: Scene, step: MachineStep, site: StepSite): Promise<StepReport> {
  return asFleetRun(scene, step, site, ({ runId, isBegun, signal }) => {
    if (isBegun)
      return goOnWithRun(scene.client, runId, { ...(step.options as FleetResumeOptions), signal, retry: undefined })
    const { machines } = site
    const given = { runId, title: `${scene.name}: ${step.name}`, find: async () => machines, signal }
    const run = begin(scene, step, { machines, given })
    return isCmdopError(run) ? notBegun(step, run) : run
  })
}

interface Beginning {
  readonly machines: readonly FleetMachine[]
  readonly given: {
    readonly runId: string
    readonly title: string
    readonly find: () => Promise<readonly FleetMachine[]>
    readonly signal: AbortSignal
  }
}

/** Begins it; or why it cannot be begun: a function of the script that says what is done has thrown. */
function begin(
  { client, values }: Scene,
  step: MachineStep,
  { machines, given }: Beginning,
): FleetExecution<AnyResult> | CmdopError {
  if (step.kind === 'exec') {
    const commands = forEach(values, machines, step.command)
    if (isCmdopError(commands)) return commands
    return beginExec(client, commands.of, { maxFailures: 0, ...step.options, ...given })
  }
  if (step.kind === 'run') {
    const prompts = forEach(values, machines, step.prompt)
    if (isCmdopError(prompts)) return prompts
    return beginOperators(client, prompts.of, { maxFailures: 0, ...step.options, ...given })
  }
  const paths = forEach(values, machines, step.to)
  if (isCmdopError(paths)) return paths
  const what = { direction: 'to', local: step.from, remote: paths.of } as const
  return beginCopy(client, what, { maxFailures: 0, ...step.options, ...given })
}
