import { CmdopError, type FleetRunWait } from '@cmdop/protocol'
import type { JobSite, OpenedPlan } from '../jobs/kind.ts'
import type { Job, WaveGate } from '../run/conduct.ts'
import type { Window } from '../run/window.ts'
import type { Asking } from './ask-people.ts'
import { ApprovedCalls } from './approved-calls.ts'
import { effectsGate, type EffectsWork } from './effects-gate.ts'
import { machineGate, planGate } from './plan-gate.ts'

export interface GateOptions<Result> {
  readonly opened: OpenedPlan<Result>
  readonly site: Omit<JobSite<Result>, 'approvalOf'>
  /** What the run is for, for people. */
  readonly title: string
  /** Somebody wants it done again. */
  readonly again: boolean
  /** Writes down what the run waits for. */
  readonly write: (wait: FleetRunWait | null) => Promise<void>
  readonly window: Window
}

/** What is done on each machine, and what people are asked before. */
export async function createGate<Result>({
  opened,
  title,
  again,
  write,
  window,
  ...rest
}: GateOptions<Result>): Promise<{
  readonly job: Job<Result>
  readonly gate: WaveGate<Result> | undefined
}> {
  const approved = new ApprovedCalls()
  const site = { ...rest.site, approvalOf: (machine: { readonly id: string }) => approved.of(machine) }
  const { approval } = opened.plan
  if (approval === undefined) return { job: await opened.job(site), gate: undefined }
  const { client, runId } = site
  const asking = { client, runId, title, again, approval, waits: waitsFor(write), approved }
  if (approval.at === 'effects') return effectsGate(asking, { work: effectsOf(opened, site), window })
  const options = { ...asking, callOf: assertCalls(opened) }
  if (approval.at === 'machine') return { job: machineGate(await opened.job(site), options), gate: undefined }
  return { job: await opened.job(site), gate: planGate(options) }
}

/** Of several approvals that a run waits for at once, the ledger has the first. */
function waitsFor(write: GateOptions<never>['write']): Asking['waits'] {
  const pending = new Set<string>()
  const writeFirst = async () => {
    const [approvalId] = pending
    await write(approvalId === undefined ? null : { for: 'approval', approvalId })
  }
  return async (approvalId) => {
    pending.add(approvalId)
    await writeFirst()
    return async () => {
      pending.delete(approvalId)
      await writeFirst()
    }
  }
}

/** Throws `unsupported` where people cannot be asked as the plan wants it, `validation` where what they approve may not be enough. */
export function assertApprovable<Result>(opened: OpenedPlan<Result>): void {
  const { approval, delivery } = opened.plan
  if (approval !== undefined && delivery === 'at-least-once')
    throw new CmdopError(
      'validation',
      'An approval is good for one call on each machine: expected no `approval` together with `delivery: "at-least-once"`.',
    )
  if (approval?.at === 'effects') {
    if (!('effects' in opened)) throw noDryRun()
  } else if (approval !== undefined) assertCalls(opened)
}

function effectsOf<Result>(opened: OpenedPlan<Result>, site: JobSite<Result>): EffectsWork<Result> {
  const work = opened.effects?.(site)
  if (work !== undefined) return work
  throw noDryRun()
}

function noDryRun(): CmdopError {
  return new CmdopError(
    'unsupported',
    'There is no dry run of this; ask people `before`, or for each `wave` or `machine`.',
  )
}

function assertCalls<Result>({ callOf }: OpenedPlan<Result>): NonNullable<OpenedPlan<Result>['callOf']> {
  if (callOf !== undefined) return callOf
  throw new CmdopError('unsupported', 'What this does cannot be known before it does it, so nobody can approve it.')
}
