import { CmdopError, isCmdopError } from '@cmdop/protocol'
import type { Redactor } from '../redact/redactor.ts'

/** The error of a function of the caller's that threw what is no error of ours: it says whose it was. */
export function failureOfOwn(whose: string, error: unknown): CmdopError {
  if (isCmdopError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new CmdopError('server', `The ${whose} failed: ${reason}`, { cause: error })
}

/** The error with its secrets cut out, of its message and of all that caused it: it may be logged. */
export function withoutSecrets(error: CmdopError, redactor: Redactor): CmdopError {
  const { code, message, details, requestId, retryable, cause } = error
  const [clean, cleanCause] = [redactor.text(message), cleaned(cause, redactor)]
  if (clean === message && cleanCause === cause) return error
  return new CmdopError(code, clean, {
    details,
    idempotent: retryable,
    ...(cleanCause === undefined ? {} : { cause: cleanCause }),
    ...(requestId === undefined ? {} : { requestId }),
  })
}

/** The same, where there is no secret in it; else a copy without. */
function cleaned(cause: unknown, redactor: Redactor): unknown {
  if (!(cause instanceof Error)) return redacted(cause, redactor)
  if (isCmdopError(cause)) return withoutSecrets(cause, redactor)
  const { name, message, stack = '', cause: inner } = cause
  const own: unknown = Object.fromEntries(Object.entries(cause))
  const copy = { message: redactor.text(message), stack: redactor.text(stack), inner: cleaned(inner, redactor) }
  const cleanOwn = redacted(own, redactor)
  if (copy.message === message && copy.stack === stack && copy.inner === inner && cleanOwn === own) return cause
  const error = new Error(copy.message, copy.inner === undefined ? undefined : { cause: copy.inner })
  return Object.assign(error, cleanOwn as object, { name, stack: copy.stack })
}

/** What is no JSON has nothing to be cut out of. */
function redacted<Value>(value: Value, redactor: Redactor): Value {
  const text = textOf(value)
  if (text === undefined || redactor.text(text) === text) return value
  return redactor.value(value) as Value
}

function textOf(value: unknown): string | undefined {
  try {
    return typeof value === 'string' ? value : JSON.stringify(value)
  } catch {
    return undefined
  }
}
