export type {
  ExecChunk,
  ExecExit,
  ExecOptions,
  ExecResult,
  Execution,
  FileEntry,
  FileList,
  FilePart,
  Machine,
  MachineFiles,
} from './machine.ts'
