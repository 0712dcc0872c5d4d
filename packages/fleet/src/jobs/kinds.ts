import type { InferOutput, StandardSchema } from '@cmdop/agent'
import { CmdopError, type FleetRunKind, type OutcomeName } from '@cmdop/protocol'
import type { FleetExecution } from '../run/fleet-execution.ts'
import type { CopyResult } from './copy/copy-job.ts'
import { copyKind } from './copy/copy-kind.ts'
import type { CommandResult } from './exec/exec-job.ts'
import { type ExecGiven, execKind } from './exec/exec-kind.ts'
import type { FleetOptions } from '../run/fleet-options.ts'
import type { FleetKind } from './kind.ts'
import { type OperatorGiven, operatorKind } from './operator/operator-kind.ts'
import type { OperatorResult } from './operator/operator-result.ts'

/** What a run of any kind gives on a machine. */
export type AnyResult = CommandResult | OperatorResult | CopyResult

/** Going on with a run that another script began: what no ledger keeps is given again. */
export interface FleetResumeOptions extends Pick<OperatorGiven, 'outputSchema' | 'tools' | 'secrets'> {
  readonly check?: FleetOptions<AnyResult>['check'] | undefined
  readonly signal?: AbortSignal | undefined
  readonly env?: ExecGiven['env'] | OperatorGiven['env']
  readonly callApproval?: ExecGiven['callApproval'] | OperatorGiven['callApproval']
}

/** Which machines are done again. */
export interface FleetRetryOptions extends FleetResumeOptions {
  readonly outcomes: readonly OutcomeName[]
}

/** `fleet.resume`: of any kind. With a schema its rows are of the schema's type. */
export interface FleetResumeMethod {
  <Schema extends StandardSchema>(
    runId: string,
    options: FleetResumeOptions & { readonly outputSchema: Schema },
  ): FleetExecution<OperatorResult<InferOutput<Schema>>>
  (runId: string, options?: FleetResumeOptions): FleetExecution<AnyResult>
}

/** `fleet.retry`: as `fleet.resume`. */
export interface FleetRetryMethod {
  <Schema extends StandardSchema>(
    runId: string,
    options: FleetRetryOptions & { readonly outputSchema: Schema },
  ): FleetExecution<OperatorResult<InferOutput<Schema>>>
  (runId: string, options: FleetRetryOptions): FleetExecution<AnyResult>
}

const kinds: Partial<Record<FleetRunKind, FleetKind<AnyResult, FleetResumeOptions>>> = {
  exec: execKind,
  run: operatorKind,
  copy: copyKind,
}

/** Throws `unsupported` for a kind that is gone on with elsewhere. */
export function kindNamed(name: FleetRunKind): FleetKind<AnyResult, FleetResumeOptions> {
  const kind = kinds[name]
  if (kind !== undefined) return kind
  throw new CmdopError('unsupported', `The run is a ${name}; it is not gone on with here.`)
}
