export { type AskOptions, AskStream } from './ask/ask-stream.ts'
export { PinDeniedError, PinTimeoutError } from './ask/pin-errors.ts'
export type { AskFrame } from './ask/frames.ts'
export {
  type CallApproval,
  type ApprovalOptions,
  type ApprovalWaits,
  type ApprovalsNamespace,
  type GrantsNamespace,
  type MachineApprovals,
  requiredApproval,
} from './approvals.ts'
export type * from './resources.ts'
export { type FromWire, fromWire, type ToWire, toWire } from './wire-names.ts'
export type { Cancellable, Repeatable } from './cancellable.ts'
export type { PolicyNamespace } from './policy.ts'
export type { AuditLogFilter, AuditLogQuery, AuditNamespace } from './audit.ts'
export { type RequestHeaders, verifyNotification, type VerifyNotificationOptions } from './verify-notification.ts'
export type { WebhooksNamespace } from './webhooks.ts'
export type {
  MySkillQuery,
  SkillInstalled,
  SkillInstallOptions,
  SkillPageQuery,
  SkillQuery,
  SkillReviewQuery,
  SkillsNamespace,
  SkillWordQuery,
} from './skills/skills-namespace.ts'
export { readSkillFolder } from './files/node/read-skill-folder.ts'
export type { ScheduleQuery, ScheduleRunQuery, SchedulesNamespace } from './schedules.ts'
export type { TunnelsNamespace } from './tunnels/tunnels-namespace.ts'
export type { ForwardTarget, ListenOptions, TunnelListener } from './tunnels/tunnel-listener.ts'
export { BaseClient } from './base-client.ts'
export { Client } from './client.ts'
export type {
  Effect,
  EffectDetails,
  EffectInfo,
  EffectList,
  EffectRefusal,
  EffectState,
  EffectSummary,
  FileState,
  MachineCapabilities,
  MachineEffects,
  RestrictionCapability,
  Restrictions,
  RestrictionsInput,
} from './effects.ts'
export { ExecError } from './exec-error.ts'
export { knownRestrictions } from './restrictions.ts'
export { DEFAULT_MAX_OUTPUT_BYTES } from './execution.ts'
export type {
  ExecChunk,
  ExecExit,
  ExecOptions,
  ExecResult,
  Execution,
  FileList,
  FilePart,
  Machine,
  MachineFiles,
  MachineSkills,
  SkillCheck,
  SkillContent,
  SkillRun,
  SkillRunOptions,
} from './machine.ts'
export type {
  FileData,
  FileReadOptions,
  FileSearchOptions,
  FileSearchResult,
  FileTransferOptions,
  FileWriteOptions,
  MachinePath,
} from './files/machine-files.ts'
export type { TransferOptions, TransferProgress, TransferResult } from './files/transfer/transfer.ts'
export type { FileEntry, FileWritten, SearchMatch } from '@cmdop/protocol'
export { digestLocal, type LocalDigest, localVersion } from './files/node/digest-local.ts'
export { type MachineOver, type MachineOverOptions, machineOver } from './machine-over.ts'
export { configFilePath } from './platform-node.ts'
export { type RecordedEvent, recordedBytes } from './recorded-events.ts'
export type { RecordingsNamespace } from './recordings.ts'
export type { RunJournals, RunsNamespace, StoredRunEntry } from './runs.ts'
export { NodeMachine as RemoteMachine } from './files/node/node-machine.ts'
export { type ClientOptions, DEFAULT_TIMEOUT_MS } from './settings.ts'
export {
  ExecuteError,
  type ExecuteExit,
  type ExecuteOptions,
  ExecuteResult,
  type SessionChunk,
  type SessionCommand,
} from './sessions/execute.ts'
export type {
  AttachOptions,
  Lease,
  MachineSessions,
  ObserveOptions,
  Session,
  SessionInfo,
  SessionOpenOptions,
  SessionPart,
  TerminalSize,
} from './sessions/session.ts'
export type { Attachment, SessionEvent } from './sessions/session-events.ts'
export type { FleetSession, FleetSessions } from './sessions-namespace.ts'
