import { isCmdopError } from '@cmdop/protocol'
import { beginRun } from '../../jobs/begin-run.ts'
import { goOnAs } from '../../jobs/go-on.ts'
import { hashedEnv } from '../../ledger/run-plan.ts'
import type { StepReport } from '../playbook-report.ts'
import type { CheckStep } from '../steps/step.ts'
import { type CheckGiven, checkKind } from './check-job.ts'
import { forEach } from './for-each.ts'
import { notBegun } from './judge-step.ts'
import { asFleetRun } from './as-fleet-run.ts'
import type { Scene, StepSite } from './scene.ts'

const EVERY_MS = 1000
const AT_MOST_MS = 60_000
const TRY_MS = 30_000

/** Milliseconds beside the tries of a check. */
const MARGIN_MS = 10_000

/** A check. It changes nothing, so what a script before this one was at is tried anew. */
export async function performCheck(scene: Scene, step: CheckStep, site: StepSite): Promise<StepReport> {
  const { client, values, name } = scene
  const { machines } = site
  const { concurrency, maxFailures = 0, cwd, env, everyMs = EVERY_MS, atMostMs = AT_MOST_MS } = step.options
  const { timeoutMs: tryMs = TRY_MS, until = ({ exitCode }) => exitCode === 0 } = step.options
  const { maxOutputBytes, restrictions } = step.options
  return asFleetRun(scene, step, site, ({ runId, isBegun, signal }) => {
    const commands = forEach(values, machines, step.command)
    if (isCmdopError(commands)) return notBegun(step, commands)
    const options = { cwd, env, maxOutputBytes, restrictions }
    const given: CheckGiven & { readonly signal: AbortSignal } = {
      machineOf: (machine) => client.handle(machine),
      commandOf: commands.of,
      options: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
      until: (result, machine) => until(result, values.forMachine(machine)),
      everyMs,
      atMostMs,
      tryMs,
      signal,
    }
    if (isBegun) return goOnAs(client, runId, () => checkKind, { ...given, retry: undefined })
    const planFor = () => ({ ...options, check: commands.all, env: hashedEnv(env), everyMs, atMostMs, tryMs })
    const over = { maxFailures, timeoutMs: atMostMs + tryMs + MARGIN_MS, runId }
    const about = { kind: checkKind, title: `${name}: ${step.name}`, find: async () => machines, planFor }
    return beginRun(client, about, { ...given, ...over, ...(concurrency === undefined ? {} : { concurrency }) })
  })
}
