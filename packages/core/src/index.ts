export { BaseClient } from './base-client.ts'
export { Client } from './client.ts'
export { ExecError } from './exec-error.ts'
export { DEFAULT_MAX_OUTPUT_BYTES } from './execution.ts'
export type {
  ExecChunk,
  ExecExit,
  ExecOptions,
  ExecResult,
  Execution,
  FileData,
  FileList,
  FilePart,
  FileSearchOptions,
  FileSearchResult,
  FileWriteOptions,
  Machine,
  MachineFiles,
  MachinePath,
} from './machine.ts'
export type { FileEntry, FileWritten, SearchMatch } from '@cmdop/protocol'
export { configFilePath } from './platform-node.ts'
export { RemoteMachine } from './remote-machine.ts'
export { type ClientOptions, DEFAULT_TIMEOUT_MS } from './settings.ts'
