export * from '@cmdop/agent'
export * from '@cmdop/core'
export { CmdopError, type ErrorCode, Facts, errorCodes, isCmdopError } from '@cmdop/protocol'
export { type Embedded, type EmbeddedOptions, embedded } from './embedded.ts'
