import { ANSWER_LANE, type Channel, CmdopError, MAX_ANSWER_BYTES, type MethodName } from '@cmdop/protocol'
import type { z } from 'zod'
import { newCallId, parseAnswer, parseJson } from '../answers.ts'
import { type Channels, concat, type MachineCall } from '../channels.ts'
import type { Sha256Hash } from '../platform.ts'

export interface FileCall<Schema extends z.ZodType> {
  readonly method: MethodName
  readonly params: Record<string, unknown>
  readonly answer: Schema
  readonly signal?: AbortSignal | undefined
}

/** The calls about files of one machine, or of one session there. */
export class FileCalls {
  readonly channels: Channels
  readonly machineId: string
  readonly #sessionId: string | undefined

  /** With a session, the files are those that it sees, under its restrictions. */
  constructor(channels: Channels, machineId: string, sessionId?: string) {
    this.channels = channels
    this.machineId = machineId
    this.#sessionId = sessionId
  }

  /** Names the place among all that this client works on. */
  get place(): string {
    return this.#sessionId === undefined ? this.machineId : `${this.machineId} ${this.#sessionId}`
  }

  /** The calls about the files of a session on the same machine. */
  inSession(sessionId: string): FileCalls {
    return new FileCalls(this.channels, this.machineId, sessionId)
  }

  /** A hash that grows with its content; undefined where the platform has none. */
  createHash(): Sha256Hash | undefined {
    return this.channels.createSha256?.()
  }

  /** The one JSON answer of a call that only reads, within the client's `timeoutMs`. */
  async askShort<Schema extends z.ZodType>({ answer, ...call }: FileCall<Schema>): Promise<z.output<Schema>> {
    const { data } = await this.channels.ask({ ...call, ...this.#inPlace(call.params), callId: newCallId() })
    return parseAnswer(answer, parseJson(data))
  }

  /** The one JSON answer of a call. It begins within the client's `timeoutMs`, and may then take its time. */
  async ask<Schema extends z.ZodType>({ method, params, answer, signal }: FileCall<Schema>): Promise<z.output<Schema>> {
    const parts: Uint8Array[] = []
    let bytes = 0
    const { end } = await this.receive({ method, params, signal }, (data) => {
      bytes += data.length
      if (bytes > MAX_ANSWER_BYTES) throw new CmdopError('protocol', 'The machine gave too large an answer.')
      parts.push(data)
    })
    return parseAnswer(answer, bytes === 0 ? end : parseJson(concat(parts, bytes)))
  }

  /** The answer of a call that is a JSON value a line, and its end. */
  async askLines<Schema extends z.ZodType>(
    { method, params, answer, signal }: FileCall<Schema>,
    found: (line: z.output<Schema>) => void,
  ): Promise<unknown> {
    const decoder = new TextDecoder()
    let rest = ''
    const { end } = await this.receive({ method, params, signal }, (data) => {
      const lines = (rest + decoder.decode(data, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) found(parseAnswer(answer, JSON.parse(line)))
    })
    return end
  }

  /** Opens a channel for a call; `prepare` sees it before anything can arrive on it. */
  open(
    call: {
      method: MethodName
      params: Record<string, unknown>
      callId?: string | undefined
      signal?: AbortSignal | undefined
    },
    prepare?: (channel: Channel) => void,
  ): Promise<Channel> {
    const { callId = newCallId(), ...rest } = call
    return this.channels.open({ ...rest, ...this.#inPlace(call.params), callId }, prepare)
  }

  #inPlace(params: Record<string, unknown>): Pick<MachineCall, 'target' | 'params' | 'mayStartSandbox'> {
    const target = this.machineId
    const session = this.#sessionId
    return session === undefined
      ? { target, params }
      : { target, params: { ...params, session }, mayStartSandbox: true }
  }

  private async receive(
    call: { method: MethodName; params: Record<string, unknown>; signal?: AbortSignal | undefined },
    take: (data: Uint8Array) => void,
  ): Promise<{ end: unknown }> {
    const channel = await this.open(call)
    using _ = cancelWith(channel, call.signal)
    try {
      for await (const { lane, data } of channel) {
        if (lane !== ANSWER_LANE) throw new CmdopError('protocol', 'The machine answered on another lane.')
        take(data)
      }
      const end = await channel.finished
      await channel.end()
      return { end }
    } catch (error) {
      channel.reset(new CmdopError('cancelled', 'The answer was not wanted any more.'))
      throw error
    }
  }
}

/** Resets the channel when the signal aborts. */
export function cancelWith(channel: Channel, signal: AbortSignal | undefined): Disposable {
  const cancel = () => channel.reset(new CmdopError('cancelled', 'The call was cancelled.'))
  if (signal?.aborted === true) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  return { [Symbol.dispose]: () => signal?.removeEventListener('abort', cancel) }
}
