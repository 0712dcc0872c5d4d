export { type Agent, type AgentOptions, type RunKind, type RunMethod, createAgent } from './agent.ts'
export type { Environment } from './config.ts'
export type { ModelObject } from './model/observed-model.ts'
export { defaultModels } from './model/resolve-model.ts'
export type { JsonSchema } from './output/json-schema.ts'
export type { OutputSchemaInput } from './output/output-schema.ts'
export { type Budget, defaultSteps } from './run/budget.ts'
export { RunError } from './run/run-error.ts'
export type { ProgressEvent, RunEndEvent, RunEvent } from './run/run-events.ts'
export type {
  ModelIdentity,
  OutputStrategy,
  RunRecord,
  RunResult,
  RunStatus,
  StepRecord,
  ToolCallRecord,
  Usage,
} from './run/run-result.ts'
export type { RunStream } from './run/run-stream.ts'
export type { RunOptions, RunSettings } from './run/task.ts'
export type { InferOutput, StandardIssue, StandardResult, StandardSchema } from './standard-schema.ts'
