export { type Cassette, cassette, type ReplayCassette } from './testing/cassette/cassette.ts'
export {
  type ModelServer,
  modelServerKey,
  type ServerRequest,
  startModelServer,
  type WireName,
  wireNames,
} from './testing/model-server.ts'
export { type ScriptedCall, type ScriptedModel, type ScriptedStep, scriptedModel } from './testing/scripted-model.ts'
export type { SeenStep, SeenToolResult } from './testing/seen-step.ts'
export {
  type Transcript,
  type TranscriptModel,
  type TranscriptResult,
  type TranscriptScript,
  type TranscriptWork,
  transcriptModel,
  transcriptTurns,
} from './testing/transcript-model.ts'
export type { ServerTurn } from './testing/wires/wire.ts'
