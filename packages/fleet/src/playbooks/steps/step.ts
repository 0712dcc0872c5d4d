import type { OutputSchemaInput } from '@cmdop/agent'
import type { Requirement } from '@cmdop/protocol'
import type { CopyResult } from '../../jobs/copy/copy-job.ts'
import type { FleetCopyOptions } from '../../jobs/copy/copy-kind.ts'
import type { CommandResult } from '../../jobs/exec/exec-job.ts'
import type { FleetExecOptions } from '../../jobs/exec/exec-kind.ts'
import type { FleetRunOptions } from '../../jobs/operator/operator-kind.ts'
import type { FleetMachine, FleetRow } from '../../run/fleet-row.ts'

/** What a step gives on a machine, for the compiler alone. */
declare const value: unique symbol

/** Of what steps are made. */
export const stepKinds = ['exec', 'run', 'copy', 'check', 'approve', 'parallel'] as const
export type StepKind = (typeof stepKinds)[number]

/** What every step has. `Value`: what later steps may use of it, on each machine. */
interface StepBase<Value> {
  /** One of a kind in its playbook: 1 to 64 letters, digits, `_`, `-` and `.`. */
  readonly name: string
  readonly [value]?: Value
}

/** What a step knows when it is made for one machine. */
export interface MachineContext {
  readonly machine: FleetMachine
  /** What a step before this one gave on this machine. Throws `validation` where it gave nothing there. */
  readonly valueOf: <Value>(step: StepBase<Value>) => Value
}

/** What a step knows that is about all machines. */
export interface FleetContext {
  /** Those on which everything has gone well so far. */
  readonly machines: readonly FleetMachine[]
  /** How a step before this one ended on each machine. Throws `validation` for a step that has not run. */
  readonly rowsOf: <Value>(step: StepBase<Value>) => readonly FleetRow<Value>[]
}

/** A command, or one made for each machine: an argv as it is, a string under `/bin/sh -c`. */
export type StepCommand = string | readonly string[] | ((context: MachineContext) => string | readonly string[])

/** What undoes a step on each machine where it ended well, when the playbook ends otherwise than well later. */
interface Undoable {
  readonly rollback?: StepCommand | MachineStep
}

/** What the playbook says itself. */
type OfPlaybook = 'allowEmpty' | 'runId' | 'signal' | 'title'

/** As a fleet run has them, but that `maxFailures` is 0: the first failure stops the step. */
export interface ExecStepOptions extends Omit<FleetExecOptions, OfPlaybook>, Undoable {}

/** A command on each machine, once. */
export interface ExecStep extends StepBase<CommandResult> {
  readonly kind: 'exec'
  readonly command: StepCommand
  readonly options: Omit<ExecStepOptions, 'rollback'>
  readonly rollback: MachineStep | undefined
}

/** A prompt, or one made for each machine. */
export type StepPrompt = string | ((context: MachineContext) => string)

export interface RunStepOptions<Output> extends Omit<FleetRunOptions<Output>, OfPlaybook>, Undoable {}

/** An AI operator on each machine. Its value is the operator's answer. */
export interface RunStep<Output = unknown> extends StepBase<Output> {
  readonly kind: 'run'
  readonly prompt: StepPrompt
  readonly options: Omit<FleetRunOptions<unknown>, OfPlaybook> & {
    readonly outputSchema?: OutputSchemaInput | undefined
  }
  readonly rollback: MachineStep | undefined
}

export interface CopyStepOptions extends Omit<FleetCopyOptions, OfPlaybook>, Undoable {}

/** Files of this computer on each machine. */
export interface CopyStep extends StepBase<CopyResult> {
  readonly kind: 'copy'
  readonly from: string
  readonly to: string | ((context: MachineContext) => string)
  readonly options: Omit<CopyStepOptions, 'rollback'>
  readonly rollback: MachineStep | undefined
}

export interface CheckStepOptions extends Pick<
  FleetExecOptions,
  'concurrency' | 'maxFailures' | 'cwd' | 'env' | 'maxOutputBytes' | 'restrictions'
> {
  /** Whether it is as it should be. Default: the exit code is 0. */
  readonly until?: (result: CommandResult, context: MachineContext) => boolean | Promise<boolean>
  /** Milliseconds between two tries. Default 1,000. */
  readonly everyMs?: number
  /** Milliseconds after which it is no more tried, and has failed. Default 60,000. */
  readonly atMostMs?: number
  /** Milliseconds that one try has. Default 30,000. */
  readonly timeoutMs?: number
}

/** A command on each machine again and again until it says what it should. It has to change nothing: nobody counts how often it runs. */
export interface CheckStep extends StepBase<CommandResult> {
  readonly kind: 'check'
  readonly command: StepCommand
  readonly options: CheckStepOptions
}

/** What people said. */
export interface StepApproval {
  readonly approvalId: string
  /** Names of who approved. */
  readonly by: readonly string[]
}

export interface ApproveStepOptions {
  /** Why, for who decides. */
  readonly reason?: string | ((context: FleetContext) => string)
  /** Who has to approve: an AND of groups. Default: one member. */
  readonly requirement?: Requirement
  /** Seconds until it is denied. Default 3,600, at most a week. */
  readonly expiresInSeconds?: number
}

/** People are asked whether it goes on; they see what comes next on which machines. A no, and nobody in time, ends the playbook. */
export interface ApproveStep extends StepBase<StepApproval> {
  readonly kind: 'approve'
  readonly title: string | ((context: FleetContext) => string)
  readonly options: ApproveStepOptions
}

/** Several steps at once. All of them come to their ends; it has failed when one has. */
export interface ParallelStep extends StepBase<undefined> {
  readonly kind: 'parallel'
  readonly steps: readonly Step[]
}

/** A step that does something on each machine once, and can undo another one. */
export type MachineStep = ExecStep | RunStep | CopyStep

export type Step = MachineStep | CheckStep | ApproveStep | ParallelStep
