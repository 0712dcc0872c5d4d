import {
  CmdopError,
  DEFAULT_ORPHAN_MS,
  isCmdopError,
  isMissing,
  type RestrictionsInput,
  type RunPolicy,
} from '@cmdop/protocol'
import { z } from 'zod'
import type { RestClient } from '../rest-client.ts'
import { knownRestrictions } from '../restrictions.ts'
import { wait } from '../wait.ts'
import { type AskFrame, readFrame } from './frames.ts'
import { askError, PinTimeoutError } from './pin-errors.ts'
import { readServerEvents } from './server-events.ts'

/** Milliseconds between tries to go on with an ask at most. */
const RETRY_WAIT_MS = 500

/** How to ask. */
export interface AskOptions {
  /** A conversation to go on with: the `sessionId` of an earlier `done`. Default: a new one. */
  sessionId?: string | undefined
  /** Default `terminal`. */
  agentType?: 'terminal' | 'chat' | 'command' | 'planner' | undefined
  /** What the answer must be, as JSON Schema or a Zod 4 schema; it is then the `output` of `done`. Default: text. */
  outputSchema?: Record<string, unknown> | z.ZodType | undefined
  /** The machine's PIN, if it has one. */
  pin?: string | undefined
  /** `changes`: confirm whatever is not declared to change nothing. Default `suspicious`: only after suspicious data. */
  confirm?: 'suspicious' | 'changes' | undefined
  /** What nothing in it may do; the kernel of the machine holds it. What was changed, or would be, is in `effects` of `done`. */
  restrictions?: RestrictionsInput | undefined
  /** Rules that ask or deny, by which the relay judges its calls beside the policies of fleet and machine. */
  policy?: RunPolicy | undefined
  /** Seconds the task may take. */
  timeoutSeconds?: number | undefined
  /** Milliseconds the machine waits for this client after a lost connection. Default 30,000. */
  orphanMs?: number | undefined
  /** Cancels: what runs on the machine is stopped. */
  signal?: AbortSignal | undefined
}

export interface AskStreamOptions {
  readonly rest: RestClient
  /** Finds the machine when the ask begins. */
  readonly machineId: () => Promise<string>
  readonly callId: string
  readonly prompt: string
  readonly options: AskOptions
}

const Empty = z.object({})

/** Throws `schema_invalid` for what JSON Schema cannot say. */
function jsonSchemaOf(schema: AskOptions['outputSchema']): Record<string, unknown> | undefined {
  if (!(schema instanceof Object) || !('_zod' in schema)) return schema
  try {
    return z.toJSONSchema(schema as z.ZodType, { target: 'draft-7', io: 'input' })
  } catch (cause) {
    throw new CmdopError('schema_invalid', 'The outputSchema has a type that JSON Schema cannot express.', { cause })
  }
}

/**
 * An ask: iterate its frames once, or `collect()` the text. It is sent at the first look and never twice; a lost
 * connection is gone on with where it broke off. Leaving the loop stops what runs on the machine.
 */
export class AskStream implements AsyncIterable<AskFrame>, AsyncDisposable {
  readonly callId: string
  readonly #options: AskStreamOptions
  readonly #left = new AbortController()
  #machineId: Promise<string> | undefined
  #taken = false
  #ended = false

  constructor(options: AskStreamOptions) {
    this.#options = options
    this.callId = options.callId
  }

  /** The final text. Throws what the ask failed with, and `permission` when a person would have to decide, or said no. */
  async collect(): Promise<string> {
    for await (const frame of this) {
      if (frame.type === 'pin_required') throw unanswered('pin_required_timeout', 'its PIN: pass { pin }')
      if (frame.type === 'confirm_required') throw unanswered('permission', `a confirmation of ${frame.tool}: iterate`)
      if (frame.type === 'done' && !frame.success)
        throw new CmdopError('permission', `${frame.error} Iterate the ask to see what that is.`)
      if (frame.type === 'done') return frame.text
    }
    throw new CmdopError('protocol', 'The ask ended without its last frame.')
  }

  /** Gives the PIN that a `pin_required` asks for. */
  async pin(challengeId: string, pin: string): Promise<void> {
    await this.#post('pin', { challenge_id: challengeId, pin })
  }

  /** Answers a `confirm_required`. Rejecting ends the ask. */
  async confirm(token: string, accept: boolean): Promise<void> {
    await this.#post('confirm', { token, accept })
  }

  /** Stops the ask. Resolves when nothing of it runs on the machine. */
  async cancel(): Promise<void> {
    this.#left.abort(new CmdopError('cancelled', 'The ask was cancelled.'))
    if (this.#ended || this.#machineId === undefined) return
    this.#ended = true
    const path = `${await this.#path()}/ask/${this.callId}`
    await this.#options.rest.call({ method: 'DELETE', path, answer: Empty }).catch((error: unknown) => {
      // It had ended by itself, or never begun.
      if (!isMissing(error)) throw error
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AskFrame, void, undefined> {
    if (this.#taken)
      throw new CmdopError('conflict', 'The frames of this ask are taken already; ask again to iterate again.')
    this.#taken = true
    const { signal } = this.#options.options
    const stop = () => this.#left.abort(new CmdopError('cancelled', 'The ask was cancelled.'))
    if (signal?.aborted === true) stop()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      yield* this.#frames()
    } finally {
      signal?.removeEventListener('abort', stop)
      // Where this fails the machine stops it all the same, when nobody has come back for as long as it waits.
      await this.cancel().catch(() => {})
    }
  }

  /** Over one connection after another, until the last frame. */
  async *#frames(): AsyncGenerator<AskFrame, void, undefined> {
    let lastId: string | undefined
    let lostAt: number | undefined
    for (let isFirst = true; ; isFirst = false) {
      try {
        for await (const { id, data } of await this.#connect(isFirst, lastId)) {
          lostAt = undefined
          lastId = id
          const frame = readFrame(id, parseJson(data))
          this.#ended = frame.type === 'done' || frame.type === 'error'
          if (frame.type === 'error') throw askError(frame.error)
          yield frame
          if (this.#ended) return
        }
      } catch (error) {
        if (this.#left.signal.aborted) throw this.#left.signal.reason
        const { orphanMs = DEFAULT_ORPHAN_MS } = this.#options.options
        // Later than this there is nothing left to stop.
        this.#ended ||= !mayComeBack(error, isFirst) || Date.now() - (lostAt ?? Date.now()) > orphanMs
        if (this.#ended) throw error
      }
      lostAt ??= Date.now()
      await wait(Math.random() * RETRY_WAIT_MS, this.#left.signal)
    }
  }

  async #connect(isFirst: boolean, lastEventId: string | undefined) {
    const { rest, prompt, options } = this.#options
    const { signal } = this.#left
    const asked = `${await this.#path()}/ask`
    if (!isFirst) {
      const path = `${asked}/${this.callId}`
      return readServerEvents(await rest.stream({ method: 'GET', path, lastEventId, signal }))
    }
    const body = {
      prompt,
      call_id: this.callId,
      session_id: options.sessionId,
      agent_type: options.agentType,
      output_schema: jsonSchemaOf(options.outputSchema),
      timeout_seconds: options.timeoutSeconds,
      orphan_ms: options.orphanMs,
      pin: options.pin,
      options: {
        confirm: options.confirm,
        restrictions: knownRestrictions(options.restrictions),
        policy: options.policy,
      },
    }
    return readServerEvents(await rest.stream({ method: 'POST', path: asked, body, signal }))
  }

  async #post(what: 'pin' | 'confirm', body: unknown): Promise<void> {
    const path = `${await this.#path()}/${what}`
    await this.#options.rest.call({ method: 'POST', path, body, answer: Empty })
  }

  async #path(): Promise<string> {
    this.#machineId ??= this.#options.machineId()
    return `/api/machines/${encodeURIComponent(await this.#machineId)}`
  }
}

/** The ask may go on without us: it is worth another try. One that was refused at first has not begun. */
function mayComeBack(error: unknown, isFirst: boolean): boolean {
  if (!isCmdopError(error)) return false
  return error.code === 'connection' || error.code === 'timeout' || (error.code === 'unavailable' && !isFirst)
}

function unanswered(code: 'pin_required_timeout' | 'permission', what: string): CmdopError {
  const message = `The machine asks for ${what}; collect() cannot answer, so the ask was stopped.`
  return code === 'permission' ? new CmdopError(code, message) : new PinTimeoutError(code, message)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
