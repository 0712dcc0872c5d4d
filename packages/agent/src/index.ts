export { type Agent, type AgentOptions, type RunKind, type RunMethod, type TextSettings, createAgent } from './agent.ts'
export { type AgentTypeName, agentTypeNames } from './agent-types/agent-type.ts'
export type { Route, RouteFunction, RouteRequest, Routes } from './agent-types/routes.ts'
export type { AskedCall, Asks } from './calls/approval-gate.ts'
export type { Environment } from './config.ts'
export type { Suspicion } from './context/suspicion.ts'
export type { Conversation, KeptConversation } from './conversation.ts'
export { type MachineTools, machineTools } from './machine-tools.ts'
export { boundsOf } from './run/prompt.ts'
export type { ModelObject } from './model/observed-model.ts'
export { defaultModels } from './model/resolve-model.ts'
export type { Evidence } from './output/evidence.ts'
export type { JsonSchema } from './output/json-schema.ts'
export { type OutputSchemaInput, outputSchemaDigest } from './output/output-schema.ts'
export { Plan, type PlanExecuteOptions, type PlanReport, PlanStep, type PlanStepReport } from './plan/plan.ts'
export { type HumanApproval, type HumanApprovalOptions, getHumanApproval } from './human-approval.ts'
export { askThrough, type MachineAsker } from './ports/ask-machine.ts'
export {
  type ApprovalNotice,
  type Gate,
  type GateContext,
  type GateDecision,
  type GateRequest,
  bothGates,
  openGate,
} from './ports/gate.ts'
export { createRelayJournal } from './journal/relay-journal.ts'
export {
  type Journal,
  type JournalEntry,
  type JournalFact,
  type JournalPlace,
  type MemoryJournal,
  type StoredEntry,
  createMemoryJournal,
  journalVersion,
  noJournal,
} from './ports/journal.ts'
export { Secret } from './redact/secret.ts'
export type { ReplayOptions, ResumeMethod, ResumeOptions } from './resume.ts'
export { type Budget, defaultSteps } from './run/budget.ts'
export { type Price, type PriceTable, listPrices } from './run/prices.ts'
export { RunError } from './run/run-error.ts'
export type { ProgressEvent, RunEndEvent, RunEvent, ToolChunkEvent, ToolResultEvent } from './run/run-events.ts'
export type {
  CallOutcome,
  DeniedCall,
  ModelIdentity,
  NeededApproval,
  OutputStrategy,
  RouteRecord,
  RunRecord,
  RunResult,
  RunStatus,
  StepRecord,
  ToolCallRecord,
  Usage,
} from './run/run-result.ts'
export type { RunStream } from './run/run-stream.ts'
export { type SharedBudget, type Used, createSharedBudget } from './run/shared-budget.ts'
export type { RunOptions, RunSettings } from './run/task.ts'
export type { InferOutput, StandardIssue, StandardResult, StandardSchema } from './standard-schema.ts'
export { conventionsVersion } from './telemetry/telemetry.ts'
export type { BuiltInToolName } from './tools/built-in-tools.ts'
export {
  type McpPin,
  type McpServer,
  type McpServerOptions,
  type McpToolDescription,
  mcpServer,
} from './tools/mcp/mcp-server.ts'
export { mcpPin } from './tools/mcp/open-mcp-server.ts'
export {
  type MachineToolName,
  type Toolbox,
  type ToolboxAnswer,
  type ToolboxCall,
  type ToolboxOptions,
  type ToolboxTool,
  createToolbox,
} from './toolbox.ts'
export type { ToolsInput } from './tools/open-tools.ts'
export type { OutputChunk } from './tools/tool.ts'
