export { createFleet, type Fleet, type FleetPing } from './create-fleet.ts'
export type { FleetClient } from './fleet-client.ts'
export type { CopyResult } from './jobs/copy/copy-job.ts'
export type { FleetCopyOptions, FleetPath } from './jobs/copy/copy-kind.ts'
export type { CommandResult } from './jobs/exec/exec-job.ts'
export type { FleetCommand, FleetExecOptions } from './jobs/exec/exec-kind.ts'
export type {
  AnyResult,
  FleetResumeMethod,
  FleetResumeOptions,
  FleetRetryMethod,
  FleetRetryOptions,
} from './jobs/kinds.ts'
export type { FleetBudget, FleetPrompt, FleetRunMethod, FleetRunOptions } from './jobs/operator/operator-kind.ts'
export type { OperatorResult } from './jobs/operator/operator-result.ts'
export type { FleetOperators } from './jobs/operator/operators.ts'
export type { Durations } from './report/durations.ts'
export type { FleetReport } from './report/fleet-report.ts'
export type { FleetEvent, FleetStop, WaveSoFar, WaveVerdict } from './run/conduct.ts'
export type { FleetApproval, GateMoment } from './gates/fleet-approval.ts'
export type { FleetExecution } from './run/fleet-execution.ts'
export { DEFAULT_MACHINE_TIMEOUT_MS, type FleetOptions } from './run/fleet-options.ts'
export type { FleetMachine, FleetRow, FleetRowError } from './run/fleet-row.ts'
export { type Concurrency, DEFAULT_CONCURRENCY } from './run/window.ts'
export type { FinishedRun, Targets, TargetSet } from './targets/targets.ts'
export type { MaxFailures } from './waves/failure-limit.ts'
export type { WaveSize } from './waves/wave-sizes.ts'
export { groupRows, type RowGroup } from './report/group-rows.ts'
export { type Outliers, outliersOf } from './report/outliers.ts'
export { renderHtml } from './report/render-html.ts'
export { renderJunit } from './report/render-junit.ts'
export { renderMarkdown } from './report/render-markdown.ts'
export { endOf, renderCommandText, saidBy, summaryLine } from './report/render-text.ts'
export { type LedgerSource, readReport } from './ledger/read-report.ts'
export { goOnWithPlaybook, type PlaybookToGoOnWith } from './playbooks/begin-playbook.ts'
export {
  isPlaybook,
  type Playbook,
  type PlaybookDefinition,
  type PlaybookExecution,
  type PlaybookRunOptions,
  playbook,
} from './playbooks/playbook.ts'
export type { PlaybookClient } from './playbooks/playbook-client.ts'
export type { PlaybookEvent, PlaybookReport, StepOutcome, StepReport } from './playbooks/playbook-report.ts'
export type { DryEffect, DryGrade, DryRow, DryStep, PlaybookDryRun } from './playbooks/dry-run/dry-run-report.ts'
export { step } from './playbooks/steps/make-steps.ts'
export type {
  ApproveStepOptions,
  CheckStepOptions,
  CopyStepOptions,
  ExecStepOptions,
  FleetContext,
  MachineContext,
  MachineStep,
  RunStepOptions,
  Step,
  StepApproval,
  StepCommand,
  StepKind,
  StepPrompt,
} from './playbooks/steps/step.ts'
