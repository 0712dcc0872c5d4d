export { type ErrorCode, type ErrorCodeEntry, type Retryable, errorCodes, isErrorCode, isRetryable } from './error-codes.ts'
export {
  CmdopError,
  type CmdopErrorOptions,
  ErrorBody,
  WireError,
  fromWireError,
  isCmdopError,
  toCmdopError,
  toWireError,
} from './errors.ts'
export { Facts } from './facts.ts'
