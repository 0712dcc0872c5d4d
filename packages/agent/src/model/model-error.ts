import { APICallError } from '@ai-sdk/provider'
import { CmdopError, isCmdopError } from '@cmdop/protocol'
import { RetryError } from 'ai'
import type { ModelIdentity } from '../run/run-result.ts'
import { redacted } from './redact-keys.ts'

/** What is needed to say what failed, without saying a secret. */
export interface ModelSource {
  readonly identity: ModelIdentity
  /** The variable that holds the key, where the model came from the environment. */
  readonly keySetting: string | undefined
  /** Never printed: cut out of everything a server says. */
  readonly secrets: readonly string[]
}

/**
 * Any failure of a model call as a coded error: `config` that names the variable for a key the server refuses, `model`
 * for the rest, retryable if the server may answer another time. A model in this process may throw a {@link CmdopError} of its own, which stays as it is.
 * What the server said is kept, without keys; the request is not.
 */
export function modelError(error: unknown, source: ModelSource): CmdopError {
  if (isCmdopError(error)) return error
  const attempts = RetryError.isInstance(error) ? error.errors.length : 1
  const last: unknown = RetryError.isInstance(error) ? error.lastError : error
  const statusCode = APICallError.isInstance(last) ? last.statusCode : undefined
  const said = redacted(messageOf(last), source.secrets)
  const { provider, id } = source.identity
  const options = {
    cause: new Error(said),
    idempotent: APICallError.isInstance(last) && last.isRetryable,
    details: { provider, model: id, attempts, ...(statusCode === undefined ? {} : { statusCode }) },
  }
  if ((statusCode === 401 || statusCode === 403) && source.keySetting !== undefined) {
    const message = `The ${provider} server refused the key in ${source.keySetting} (HTTP ${statusCode}: ${said}). Set a valid key.`
    return new CmdopError('config', message, {
      ...options,
      details: { ...options.details, setting: source.keySetting },
    })
  }
  const tries = attempts > 1 ? ` ${attempts} times` : ''
  const status = statusCode === undefined ? '' : ` with HTTP ${statusCode}`
  return new CmdopError('model', `The model ${provider}:${id} failed${tries}${status}: ${said}`, options)
}

/** The whole chain, because a lost connection says what it was only in its causes. */
function messageOf(error: unknown): string {
  const parts: string[] = []
  for (let each = error, depth = 0; each !== undefined && each !== null && depth < 4; depth++) {
    const text = each instanceof Error ? each.message : typeof each === 'string' ? each : JSON.stringify(each)
    if (text && !parts.some((part) => part.includes(text))) parts.push(text)
    each = each instanceof Error ? each.cause : undefined
  }
  return parts.join(': ').slice(0, 1_000) || 'unknown error'
}
