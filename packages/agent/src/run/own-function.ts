import { CmdopError, isCmdopError } from '@cmdop/protocol'
import type { Redactor } from '../redact/redactor.ts'

/** The error of a function of the caller's that threw what is no error of ours: it says whose it was. */
export function failureOfOwn(whose: string, error: unknown): CmdopError {
  if (isCmdopError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new CmdopError('server', `The ${whose} failed: ${reason}`, { cause: error })
}

/** The error with its secrets cut out, of its message, its details and of all that caused it: it may be logged. */
export function withoutSecrets(error: CmdopError, redactor: Redactor): CmdopError {
  return cleanedError(error, redactor, new Set())
}

function cleanedError(error: CmdopError, redactor: Redactor, seen: Set<unknown>): CmdopError {
  const { code, message, details, requestId, retryable, cause } = error
  seen.add(error)
  const clean = {
    message: redactor.text(message),
    details: redacted(details, redactor),
    cause: cleaned(cause, redactor, seen),
  }
  if (clean.message === message && clean.details === details && clean.cause === cause) return error
  return new CmdopError(code, clean.message, {
    details: clean.details,
    idempotent: retryable,
    ...(clean.cause === undefined ? {} : { cause: clean.cause }),
    ...(requestId === undefined ? {} : { requestId }),
  })
}

/** The same, where there is no secret in it; else a copy without. One that was seen before is left out. */
function cleaned(cause: unknown, redactor: Redactor, seen: Set<unknown>): unknown {
  if (!(cause instanceof Error)) return redacted(cause, redactor)
  if (seen.has(cause)) return undefined
  if (isCmdopError(cause)) return cleanedError(cause, redactor, seen)
  seen.add(cause)
  const { name, message, stack = '', cause: inner } = cause
  const own = Object.fromEntries(
    Object.getOwnPropertyNames(cause)
      .filter((key) => !['name', 'message', 'stack', 'cause'].includes(key))
      .map((key) => [key, (cause as unknown as Record<string, unknown>)[key]]),
  )
  const copy = { message: redactor.text(message), stack: redactor.text(stack), inner: cleaned(inner, redactor, seen) }
  const cleanOwn = Object.fromEntries(Object.entries(own).map(([key, each]) => [key, ofOwn(each, redactor, seen)]))
  const isSame = Object.entries(own).every(([key, each]) => cleanOwn[key] === each)
  if (copy.message === message && copy.stack === stack && copy.inner === inner && isSame) return cause
  const error = new Error(copy.message, copy.inner === undefined ? undefined : { cause: copy.inner })
  return Object.assign(error, cleanOwn, { name, stack: copy.stack })
}

/** A property of an error, which may be an error or a list of some (`AggregateError`). */
function ofOwn(value: unknown, redactor: Redactor, seen: Set<unknown>): unknown {
  if (!Array.isArray(value)) return cleaned(value, redactor, seen)
  const clean = value.map((each) => cleaned(each, redactor, seen))
  return clean.every((each, index) => each === value[index]) ? value : clean
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
