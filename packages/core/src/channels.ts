import {
  ANSWER_LANE,
  type Channel,
  ChannelTicket,
  CmdopError,
  Connection,
  MAX_ANSWER_BYTES,
  type MethodName,
  methods,
  type Operator,
  restrictable,
  type Restrictions,
  toCmdopError,
} from '@cmdop/protocol'
import {
  type ApprovalOptions,
  type ApprovalWaits,
  deniedError,
  type MachineApprovals,
  noticeOf,
  requiredApproval,
} from './approvals.ts'
import type { Platform, Sha256Hash } from './platform.ts'
import type { ApprovalInfo } from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { activeTraceparent } from './trace-context.ts'
import type { RunJournals } from './runs.ts'
import { type ClientSettings, requireToken } from './settings.ts'
import { abortable, wait } from './wait.ts'

/** A call to a machine. */
export interface MachineCall {
  readonly method: MethodName
  readonly target: string
  readonly params: Record<string, unknown>
  readonly callId: string
  readonly deadlineMs?: number | undefined
  /** The answer of `ask` begins within `timeoutMs`, and may then take its time. */
  readonly takesTime?: boolean
  /** The machine may have to start a sandbox first, which takes time on a slow one; see {@link SANDBOX_START_MS}. */
  readonly mayStartSandbox?: boolean
  readonly signal?: AbortSignal | undefined
  readonly approval?: ApprovalOptions | undefined
  /** The run of an AI operator that makes the call. */
  readonly operator?: Operator | undefined
  /** What its session holds it to; a session that holds less refuses the call. */
  readonly under?: Restrictions | undefined
  /** The fleet run that the call is part of. */
  readonly fleetRunId?: string | undefined
}

/** Milliseconds between tries of a call that may be repeated, at most; a random part of it is waited. */
const RETRY_WAIT_MS = 500

/** Milliseconds in which a machine answers at first that has to start a sandbox, where `timeoutMs` is less. */
const SANDBOX_START_MS = 60_000

/** What holds for many calls. */
export type CallDefaults = Pick<MachineCall, 'approval' | 'operator' | 'under' | 'fleetRunId'>

/** The connection, and what is known of it. */
interface Line {
  connection: Promise<Connection> | undefined
  dialling: Promise<Connection> | undefined
  /** A relay that was there once is worth another try; one that never was is not. */
  wasConnected: boolean
  readonly closing: AbortController
}

function newLine(): Line {
  return { connection: undefined, dialling: undefined, wasConnected: false, closing: new AbortController() }
}

/** What calls need beside the connection. */
interface ChannelPorts {
  readonly approvals: ApprovalWaits | MachineApprovals
  readonly runs?: RunJournals
}

/** The client's one connection for all its channels, opened when it is first needed and again after a loss. */
export class Channels {
  readonly #settings: ClientSettings
  readonly #platform: Platform
  readonly #rest: RestClient
  readonly #line: Line
  readonly #ports: ChannelPorts
  readonly #defaults: CallDefaults
  /** The platform's hash, where it has one. */
  readonly createSha256: (() => Sha256Hash) | undefined
  /** Where runs on its machines are written down. */
  readonly runs: RunJournals | undefined

  constructor(
    settings: ClientSettings,
    platform: Platform,
    rest: RestClient,
    { line = newLine(), defaults = {}, ...ports }: ChannelPorts & { line?: Line; defaults?: CallDefaults },
  ) {
    this.#settings = settings
    this.#platform = platform
    this.#rest = rest
    this.createSha256 = platform.createSha256
    this.#ports = ports
    this.#line = line
    this.#defaults = defaults
    this.runs = ports.runs
  }

  /** Aborts when the client is closed. */
  get closing(): AbortSignal {
    return this.#line.closing.signal
  }

  /** Where people are asked about a plan; undefined on the machine itself. */
  get approvals(): MachineApprovals | undefined {
    const { approvals } = this.#ports
    return 'request' in approvals ? approvals : undefined
  }

  /** The same connection, for calls that have this unless they say otherwise. */
  with(defaults: CallDefaults): Channels {
    return new Channels(this.#settings, this.#platform, this.#rest, {
      ...this.#ports,
      line: this.#line,
      defaults: { ...this.#defaults, ...defaults },
    })
  }

  /**
   * A channel that the machine has accepted; `prepare` sees it before anything can arrive on it. Where a person has to approve the
   * call, it waits for that if it may. Throws what it was refused with, or `timeout` without a first answer.
   */
  async open(asked: MachineCall, prepare?: (channel: Channel) => void): Promise<Channel> {
    const { approval: usual, operator, under, fleetRunId } = this.#defaults
    const call = {
      ...asked,
      operator: asked.operator ?? operator,
      under: asked.under ?? under,
      fleetRunId: asked.fleetRunId ?? fleetRunId,
      approval: { ...usual, ...asked.approval },
    }
    try {
      return await this.#open(call, prepare)
    } catch (error) {
      const required = requiredApproval(error)
      const { approval, params } = call
      if (required === undefined) throw error
      const told = { ...required, state: 'pending' as const, by: [], edited: null }
      await approval.onApproval?.(told)
      if (!(approval.wait ?? this.#settings.waitForApproval)) throw error
      const info = await this.#decided(required.approvalId, call)
      await approval.onApproval?.(noticeOf(info))
      if (info.state === 'denied' || info.state === 'expired' || info.state === 'void') throw deniedError(info)
      // A person's version of it runs instead: nothing else hashes to what was approved.
      const edited = noticeOf(info).edited ?? {}
      return await this.#open({ ...call, params: { ...params, ...edited } }, prepare)
    }
  }

  /** Whoever gives up waiting takes the question back. */
  async #decided(approvalId: string, { callId, signal }: MachineCall): Promise<ApprovalInfo> {
    const stop = AbortSignal.any([this.#line.closing.signal, ...(signal === undefined ? [] : [signal])])
    try {
      return await abortable(this.#ports.approvals.decided(approvalId, { callId, signal: stop }), stop)
    } catch (error) {
      if (stop.aborted) await this.#ports.approvals.withdraw(approvalId).catch(() => {})
      throw error
    }
  }

  async #open(call: MachineCall, prepare?: (channel: Channel) => void): Promise<Channel> {
    const traceparent = activeTraceparent()
    const connection = await abortable(this.connect(), call.signal)
    // Nothing is asked for that is not wanted any more: it might begin before the change of mind arrives.
    if (call.signal?.aborted === true) throw new CmdopError('cancelled', 'The call was cancelled before it began.')
    const channel = connection.open({
      method: call.method,
      target: call.target,
      params: call.params,
      callId: call.callId,
      ...(call.deadlineMs === undefined ? {} : { deadlineMs: call.deadlineMs }),
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(call.operator === undefined ? {} : { operator: call.operator }),
      ...(call.under === undefined || !restrictable(call.method) ? {} : { under: call.under }),
      ...(call.fleetRunId === undefined ? {} : { fleetRunId: call.fleetRunId }),
      ...(call.approval?.ask === undefined ? {} : { askApproval: call.approval.ask }),
      ...(call.approval?.approvalId === undefined ? {} : { approvalId: call.approval.approvalId }),
    })
    prepare?.(channel)
    await this.#within(channel, channel.accepted, { ...call, takesTime: false })
    return channel
  }

  /** The whole answer of a method that only reads, and its trailer. Repeated after a lost connection, within `timeoutMs`. */
  async ask(call: MachineCall): Promise<{ data: Uint8Array; trailer: unknown }> {
    const end = Date.now() + this.#settings.timeoutMs
    for (;;) {
      try {
        const channel = await this.open(call)
        return await this.#within(channel, readAnswer(channel), call)
      } catch (error) {
        const again = error instanceof CmdopError && error.code === 'connection' && methods[call.method].repeatable
        if (!again || this.#line.closing.signal.aborted || !this.#line.wasConnected || Date.now() + RETRY_WAIT_MS > end)
          throw error
        await wait(Math.random() * RETRY_WAIT_MS, call.signal)
      }
    }
  }

  /** The live connection. Throws `connection`, `timeout` or what the relay refuses it with. */
  async connect(): Promise<Connection> {
    if (this.#line.closing.signal.aborted) throw new CmdopError('cancelled', 'The client was closed.')
    const known = await this.#line.connection?.catch(() => undefined)
    if (known !== undefined && !known.isClosed) return known
    // Whoever comes first dials; the others wait for that one.
    if (this.#line.dialling === undefined) {
      this.#line.dialling = this.#dial().finally(() => {
        this.#line.dialling = undefined
      })
      this.#line.connection = this.#line.dialling
      this.#line.connection.catch(() => {})
    }
    return this.#line.dialling
  }

  /** Ends every channel, cancelling what runs on it, and the connection. Idempotent. */
  async close(): Promise<void> {
    this.#line.closing.abort(new CmdopError('cancelled', 'The client was closed.'))
    const connection = await this.#line.connection?.catch(() => undefined)
    // Said for each command, because a connection that merely ends leaves them running for a while.
    connection?.resetAll(new CmdopError('cancelled', 'The client was closed.'))
    connection?.close()
  }

  async #dial(): Promise<Connection> {
    const { timeoutMs } = this.#settings
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(notAnswered(timeoutMs)), timeoutMs)
    try {
      return await this.#handshake(AbortSignal.any([late.signal, this.#line.closing.signal]))
    } finally {
      clearTimeout(timer)
    }
  }

  async #handshake(signal: AbortSignal): Promise<Connection> {
    const { baseUrl } = this.#settings
    const address = {
      url: `${baseUrl.replace(/^http/, 'ws')}/api/channel`,
      bearer: requireToken(this.#settings),
      ticket: async () => {
        const answer = await this.#rest.call({ method: 'POST', path: '/api/channel-tickets', answer: ChannelTicket })
        return answer.ticket
      },
    }
    const transport = await this.#platform.openChannel(address, signal)
    const connection = new Connection(transport, { role: 'dialer', hello: () => ({}) })
    const stop = () => connection.close(toCmdopError(signal.reason, 'timeout', 'There was no answer in time.'))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      await connection.ready
    } finally {
      // From here on the connection has an owner, who ends its commands before it.
      signal.removeEventListener('abort', stop)
    }
    this.#line.wasConnected = true
    return connection
  }

  /** Bounds a channel's answer by the caller's signal, and by the time that this call may take. */
  async #within<Value>(
    channel: Channel,
    answer: Promise<Value>,
    {
      signal,
      takesTime = false,
      mayStartSandbox = false,
    }: Pick<MachineCall, 'signal' | 'takesTime' | 'mayStartSandbox'>,
  ): Promise<Value> {
    const timeoutMs = Math.max(this.#settings.timeoutMs, mayStartSandbox ? SANDBOX_START_MS : 0)
    const timer = takesTime ? undefined : setTimeout(() => channel.reset(notAnswered(timeoutMs)), timeoutMs)
    const cancel = () => channel.reset(new CmdopError('cancelled', 'The call was cancelled.'))
    if (signal?.aborted === true) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await answer
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    }
  }
}

function notAnswered(timeoutMs: number): CmdopError {
  return new CmdopError('timeout', `There was no answer within ${timeoutMs} ms.`, { idempotent: true })
}

async function readAnswer(channel: Channel): Promise<{ data: Uint8Array; trailer: unknown }> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const { lane, data } of channel) {
    bytes += data.length
    if (lane !== ANSWER_LANE || bytes > MAX_ANSWER_BYTES) throw refuse(channel)
    parts.push(data)
  }
  const trailer = await channel.finished
  await channel.end()
  return { data: concat(parts, bytes), trailer }
}

function refuse(channel: Channel): CmdopError {
  const error = new CmdopError(
    'protocol',
    'The machine gave an answer of another form; is its daemon of another version?',
  )
  channel.reset(error)
  return error
}

/** Joins pieces into one array of `bytes` bytes. */
export function concat(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
