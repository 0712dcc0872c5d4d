import { z } from 'zod'
import { type ErrorCode, errorCodes, isErrorCode, isRetryable } from './error-codes.ts'

const brand = Symbol.for('cmdop.error')

/** What a {@link CmdopError} can be made with, beside its code and message. */
export interface CmdopErrorOptions {
  /** What caused it, kept as `cause`. It stays in this process; it is never sent. */
  cause?: unknown
  /** Facts for the caller, as JSON. Never a secret. */
  details?: Record<string, unknown>
  /** The relay's id of the request, as printed in its log. */
  requestId?: string
  /** Whether repeating this call cannot act twice. Default: false. */
  idempotent?: boolean
  /** The HTTP status of the answer. Default: that of the code. */
  status?: number
  /** The body of the answer, as JSON; undefined where there was none. */
  body?: unknown
  /** Seconds to wait before the call is sent again, where the relay says so. */
  retryAfter?: number
}

/**
 * The one error class. Switch on `code`; `message` is a full sentence that says what to do.
 * `retryable` is decided for the call that failed, by {@link isRetryable}.
 */
export class CmdopError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly status: number
  readonly details: Record<string, unknown>
  readonly requestId: string | undefined
  /** What the relay answered, as JSON; undefined for what did not come from an answer. */
  readonly body: unknown
  /** Seconds to wait before the call is sent again; undefined where nobody said so. */
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, options: CmdopErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CmdopError'
    this.code = code
    this.status = options.status ?? errorCodes[code].status
    this.retryable = isRetryable(code, { idempotent: options.idempotent ?? false })
    this.details = options.details ?? {}
    this.requestId = options.requestId
    this.body = options.body
    this.retryAfter = options.retryAfter
    Object.defineProperty(this, brand, { value: true })
  }
}

/** True for an error of ours, also one made by another copy of this package. */
export function isCmdopError(error: unknown): error is CmdopError {
  return typeof error === 'object' && error !== null && brand in error
}

/** Whether it is what a proxy before the relay answered, with no word of the relay: it knows nothing of what is there. */
export function isOfProxy(error: CmdopError): boolean {
  return error.details['proxy'] === true
}

/** Whether the relay, or the machine, says that something is not there. */
export function isMissing(error: unknown): error is CmdopError {
  return isCmdopError(error) && error.code === 'not_found' && !isOfProxy(error)
}

/** Any thrown value as a {@link CmdopError}; what is not one becomes `fallback` with the cause kept. */
export function toCmdopError(error: unknown, fallback: ErrorCode, message: string): CmdopError {
  return isCmdopError(error) ? error : new CmdopError(fallback, message, { cause: error })
}

/** An error as it crosses the wire, in the body of an HTTP answer, in a reset frame and in a stream. */
export const WireError = z.object({
  code: z.string().max(64).describe('One of the codes of `docs/errors.md`; a newer relay may send one we do not know'),
  message: z.string().max(4096).describe('What is wrong and what to do, in a sentence'),
  requestId: z.string().max(128).optional().describe("Id of the request, by which the relay's log knows it"),
  retryable: z.boolean().describe('Whether the same call may succeed later'),
  retryAfter: z
    .number()
    .min(0)
    .optional()
    .describe('Seconds to wait before the call is sent again; an HTTP answer has them as `Retry-After`, too'),
  details: z.record(z.string(), z.unknown()).default({}).describe('What else is known, by code'),
})
export type WireError = z.infer<typeof WireError>

/** The body of every HTTP answer that is an error. */
export const ErrorBody = z.object({ error: WireError.describe('What went wrong') })
export type ErrorBody = z.infer<typeof ErrorBody>

/** The error as data for the wire: no cause, no stack. */
export function toWireError(error: CmdopError): WireError {
  return {
    code: error.code,
    message: error.message.slice(0, 4096),
    ...(error.requestId === undefined ? {} : { requestId: error.requestId.slice(0, 128) }),
    retryable: error.retryable,
    ...(error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter }),
    details: error.details,
  }
}

/** An error from the wire; an unknown code becomes `server`, with the original in `details.code`. */
export function fromWireError(
  wire: WireError,
  facts: { idempotent: boolean } & Pick<CmdopErrorOptions, 'status' | 'body' | 'retryAfter'>,
): CmdopError {
  const code = isErrorCode(wire.code) ? wire.code : undefined
  return new CmdopError(code ?? 'server', wire.message, {
    details: code === undefined ? { ...wire.details, code: wire.code } : wire.details,
    ...(wire.retryAfter === undefined ? {} : { retryAfter: wire.retryAfter }),
    ...facts,
    ...(wire.requestId === undefined ? {} : { requestId: wire.requestId }),
  })
}
