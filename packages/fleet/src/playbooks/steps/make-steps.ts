import type { InferOutput, OutputSchemaInput, StandardSchema } from '@cmdop/agent'
import type {
  ApproveStep,
  ApproveStepOptions,
  CheckStep,
  CheckStepOptions,
  CopyStep,
  CopyStepOptions,
  ExecStep,
  ExecStepOptions,
  MachineStep,
  ParallelStep,
  RunStep,
  RunStepOptions,
  Step,
  StepCommand,
  StepPrompt,
} from './step.ts'

/** The steps of which playbooks are made. */
export const step = { exec, run, copy, check, approve, parallel } as const

/** A command on each machine. Its value is what the command gave there. */
function exec(name: string, command: StepCommand, { rollback, ...options }: ExecStepOptions = {}): ExecStep {
  return { kind: 'exec', name, command, options, rollback: undoing(name, rollback) }
}

/** An AI operator on each machine. Its value is the answer, of the schema's type, or text without a schema. */
function run<Schema extends StandardSchema>(
  name: string,
  prompt: StepPrompt,
  options: RunStepOptions<InferOutput<Schema>> & { readonly outputSchema: Schema },
): RunStep<InferOutput<Schema>>
function run(
  name: string,
  prompt: StepPrompt,
  options?: RunStepOptions<string> & { readonly outputSchema?: undefined },
): RunStep<string>
function run(
  name: string,
  prompt: StepPrompt,
  { rollback, ...options }: RunStepOptions<never> & { readonly outputSchema?: OutputSchemaInput | undefined } = {},
): RunStep {
  return { kind: 'run', name, prompt, options: options as RunStep['options'], rollback: undoing(name, rollback) }
}

/** A file, or with `recursive` a directory, of this computer to this path on each machine. Its value is what was copied. */
function copy(
  name: string,
  from: string,
  to: CopyStep['to'],
  { rollback, ...options }: CopyStepOptions = {},
): CopyStep {
  return { kind: 'copy', name, from, to, options, rollback: undoing(name, rollback) }
}

/** A command on each machine until it says what it should, or for too long. Its value is what it gave in the end. */
function check(name: string, command: StepCommand, options: CheckStepOptions = {}): CheckStep {
  return { kind: 'check', name, command, options }
}

/** People are asked before it goes on. */
function approve(name: string, title: ApproveStep['title'], options: ApproveStepOptions = {}): ApproveStep {
  return { kind: 'approve', name, title, options }
}

/** These steps at once. */
function parallel(name: string, steps: readonly Step[]): ParallelStep {
  return { kind: 'parallel', name, steps }
}

function undoing(name: string, rollback: StepCommand | MachineStep | undefined): MachineStep | undefined {
  return rollback === undefined || isStep(rollback) ? rollback : exec(`${name}.rollback`, rollback)
}

function isStep(given: StepCommand | MachineStep): given is MachineStep {
  return typeof given === 'object' && 'kind' in given
}
