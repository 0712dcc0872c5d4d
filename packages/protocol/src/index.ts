export { CONTROL_LANE, Channel, type ChannelMessage } from './channel/channel.ts'
export { Connection, type ConnectionOptions } from './channel/connection.ts'
export {
  CHANNEL_SUBPROTOCOL,
  FRAME_HEADER_BYTES,
  type Frame,
  type FrameType,
  dataCost,
  decodeFrame,
  decodeJson,
  decodeReset,
  decodeWindow,
  encodeData,
  encodeFrame,
  encodeJson,
  encodeReset,
  encodeWindow,
  frameTypes,
  writeUint32,
} from './channel/frame.ts'
export * from './channel/limits.ts'
export { JsonLines, jsonLine } from './channel/json-lines.ts'
export { Link, type LinkHandlers } from './channel/link.ts'
export { fleetMovedTo, movedTo } from './channel/moved.ts'
export { createMemoryTransports } from './channel/memory-transport.ts'
export { type ContentPiece, ResendBuffer } from './channel/resend-buffer.ts'
export type { Transport, TransportClose, TransportHandlers } from './channel/transport.ts'
export { type EmitterSocket, createEmitterTransport } from './channel/emitter-transport.ts'
export { isUnseen } from './channel/unseen.ts'
export { type WebSocketLike, createWebSocketTransport } from './channel/websocket-transport.ts'
export { NEVER_REACHED, LOOPBACK } from './addresses.ts'
export type { ByteStream } from './tunnel/byte-stream.ts'
export { type DialTunnelOptions, type HeldTunnel, type TunnelCall, dialTunnel } from './tunnel/dial-tunnel.ts'
export { tunnelIsFull } from './tunnel/tunnel-is-full.ts'
export { type TunnelOutcome, TunnelPipe } from './tunnel/tunnel-pipe.ts'
export * from './methods/tunnels.ts'
export * from './tunnels.ts'
export {
  type ErrorCode,
  type ErrorCodeEntry,
  type Retryable,
  errorCodes,
  isErrorCode,
  isRetryable,
} from './error-codes.ts'
export {
  CmdopError,
  type CmdopErrorOptions,
  ErrorBody,
  WireError,
  fromWireError,
  isCmdopError,
  isMissing,
  isOfProxy,
  toCmdopError,
  toWireError,
} from './errors.ts'
export { Facts } from './facts.ts'
export * from './fleet/fleet-approvals.ts'
export * from './fleet/fleet-runs.ts'
export { outcomeOfError } from './fleet/outcome-of-error.ts'
export { OutcomeName, isFailure, outcomes } from './fleet/outcomes.ts'
export { LabelChanges, Labels, MAX_LABELS, parseLabelChanges, parseLabels } from './targets/labels.ts'
export { fitsPattern } from './targets/name-pattern.ts'
export { parseSelector } from './targets/parse-selector.ts'
export { type SelectableMachine, Selector, isPattern, selects } from './targets/selector.ts'
export { errnoOf, fileError } from './file-error.ts'
export * from './messages/approval.ts'
export { canonicalJson } from './messages/canonical-json.ts'
export { MachineDescription } from './messages/machine-description.ts'
export { Hello, MachineProof, PROTOCOL_VERSION, machineProofText } from './messages/hello.ts'
export {
  MACHINE_REQUEST_SCHEME,
  MACHINE_REQUEST_WITHIN_MS,
  type MachineRequest,
  formatMachineRequest,
  machineKeyText,
  machineRequestText,
  parseMachineRequest,
} from './messages/machine-request.ts'
export { CallId } from './messages/call-id.ts'
export { Open, Operator, parseOpen } from './messages/open.ts'
export { PERMIT_TTL_MS, Permit, SignedPermit, actionText, permitText } from './messages/permit.ts'
export * from './approvals.ts'
export * from './policies.ts'
export * from './methods/action.ts'
export * from './methods/ask.ts'
export * from './methods/effect-likeness.ts'
export * from './methods/effects.ts'
export * from './methods/exec.ts'
export * from './methods/files.ts'
export * from './methods/sha256.ts'
export * from './methods/limits.ts'
export * from './methods/methods.ts'
export { AbsolutePath, EnvironmentChange, FilePath } from './methods/paths.ts'
export * from './methods/recordings.ts'
export * from './methods/restrictions.ts'
export * from './methods/session-info.ts'
export * from './methods/sessions.ts'
export * from './methods/skills.ts'
export * from './rest.ts'
export * from './rest-fleets.ts'
export * from './rest-machines.ts'
export * from './runs.ts'
export * from './rest-ask.ts'
export * from './audit/rest.ts'
export * from './audit/row.ts'
export * from './audit/statements.ts'
export * from './audit/verification.ts'
export { AuditVerifier, type AuditVerifierOptions } from './audit/verifier.ts'
export * from './rest-identity.ts'
export * from './schedules.ts'
export * from './webhooks.ts'
export { jsonSchemaValidator } from './skills/json-schema-validator.ts'
export * from './skills/parse-skill.ts'
export * from './skills/skill-command.ts'
export * from './skills/skill-files.ts'
export * from './skills/skill-manifest.ts'
export * from './skills/skill-paths.ts'
export * from './skills/skill-registry.ts'
export { isVersionIn } from './skills/version-range.ts'
