import {
  CmdopError,
  type EffectDetails,
  type EffectInfo,
  MAX_ANSWER_BYTES,
  type MethodName,
  SessionInfo,
  SessionList,
  SessionReadEnd,
} from '@cmdop/protocol'
import { newCallId, parseAnswer, parseJson } from '../answers.ts'
import type { Channels } from '../channels.ts'
import type { RemoteFiles } from '../files/remote-files.ts'
import { itemsOf, onePage } from '../pages.ts'
import { RemoteEffects } from '../remote-effects.ts'
import { knownRestrictions } from '../restrictions.ts'
import { attach } from './attachment.ts'
import type { ExecuteOptions, SessionCommand } from './execute.ts'
import { RemoteSessionCommand } from './remote-session-command.ts'
import type {
  AttachOptions,
  MachineSessions,
  ObserveOptions,
  Session,
  SessionOpenOptions,
  SessionPart,
} from './session.ts'
import type { Attachment } from './session-events.ts'

/** Bytes read at once of what a session has put out, unless chosen. */
const DEFAULT_READ_BYTES = 1024 * 1024

interface Cancellable {
  signal?: AbortSignal | undefined
}

interface MachineCall extends Cancellable {
  readonly method: MethodName
  readonly params: Record<string, unknown>
  /** Default: a new one. */
  readonly callId?: string | undefined
  readonly mayStartSandbox?: boolean
}

/** The sessions of one machine over the relay. */
export class RemoteSessions implements MachineSessions<RemoteFiles> {
  readonly #channels: Channels
  readonly #machineId: string
  readonly #files: RemoteFiles

  /** `files` are those of the machine itself. */
  constructor(channels: Channels, machineId: string, files: RemoteFiles) {
    this.#channels = channels
    this.#machineId = machineId
    this.#files = files
  }

  async open({ signal, sessionId: callId, restrictions: given, ...rest }: SessionOpenOptions = {}): Promise<
    Session<RemoteFiles>
  > {
    const restrictions = knownRestrictions(given)
    const params = { ...rest, ...(restrictions === undefined ? {} : { restrictions }) }
    const mayStartSandbox = restrictions !== undefined
    const { data } = await this.#ask({ method: 'session.open', params, signal, callId, mayStartSandbox })
    return this.#handle(data)
  }

  async get(sessionId: string, { signal }: Cancellable = {}): Promise<Session<RemoteFiles>> {
    const { data } = await this.#ask({ method: 'session.get', params: { sessionId }, signal })
    return this.#handle(data)
  }

  async list(options: Cancellable & { ended?: boolean } = {}): Promise<readonly SessionInfo[]> {
    return (await this.#page(options)).items
  }

  iter(options: Cancellable & { ended?: boolean } = {}): AsyncGenerator<SessionInfo> {
    return itemsOf(this.pages(options), ({ sessionId }) => sessionId, options)
  }

  pages(options: Cancellable & { ended?: boolean } = {}): AsyncGenerator<SessionList> {
    return onePage(() => this.#page(options))
  }

  async #page({ ended = false, signal }: Cancellable & { ended?: boolean }): Promise<SessionList> {
    const { data } = await this.#ask({ method: 'session.list', params: { ended }, signal })
    return parseAnswer(SessionList, parseJson(data))
  }

  #handle(answer: Uint8Array): Session<RemoteFiles> {
    const info = parseAnswer(SessionInfo, parseJson(answer))
    return new RemoteSession(this.#channels, info, {
      machineId: this.#machineId,
      files: this.#files.inSession(info.sessionId),
    })
  }

  #ask({ callId = newCallId(), ...call }: MachineCall): Promise<{ data: Uint8Array; trailer: unknown }> {
    return this.#channels.ask({ ...call, target: this.#machineId, callId })
  }
}

/** One of them. */
class RemoteSession implements Session<RemoteFiles> {
  readonly id: string
  readonly machineId: string
  readonly name: string
  readonly recordingId: string | null
  readonly folder: string | null
  readonly files: RemoteFiles
  readonly #channels: Channels
  readonly #effects: RemoteEffects

  constructor(
    channels: Channels,
    { sessionId, name, recordingId, folder }: SessionInfo,
    { machineId, files }: Pick<Session<RemoteFiles>, 'machineId' | 'files'>,
  ) {
    this.#channels = channels
    this.#effects = new RemoteEffects(channels, machineId)
    this.machineId = machineId
    this.files = files
    this.id = sessionId
    this.name = name
    this.recordingId = recordingId
    this.folder = folder
  }

  info({ signal }: Cancellable = {}): Promise<SessionInfo> {
    return this.#askInfo('session.get', signal)
  }

  attach(options: AttachOptions = {}): Promise<Attachment> {
    return attach({ channels: this.#channels, session: this, options })
  }

  observe(options: ObserveOptions = {}): Promise<Attachment> {
    return this.attach({ ...options, mode: 'observer' })
  }

  execute(command: string, options: ExecuteOptions = {}): SessionCommand {
    const { machineId, id: sessionId } = this
    return new RemoteSessionCommand({ channels: this.#channels, machineId, sessionId, command, options })
  }

  async read(options: Cancellable & { offset: number; length?: number }): Promise<SessionPart> {
    const { offset, length = DEFAULT_READ_BYTES, signal } = options
    if (length > MAX_ANSWER_BYTES)
      throw new CmdopError('validation', `Expected length to be at most ${MAX_ANSWER_BYTES} bytes, got ${length}.`)
    const { data, trailer } = await this.#ask({ method: 'session.read', params: { offset, length }, signal })
    return { data, ...parseAnswer(SessionReadEnd, trailer) }
  }

  close({ signal }: Cancellable = {}): Promise<SessionInfo> {
    return this.#askInfo('session.close', signal)
  }

  effects(options: Cancellable = {}): Promise<EffectDetails> {
    return this.#effects.get(this.id, options)
  }

  apply(effectHash: string, options: Cancellable = {}): Promise<EffectInfo> {
    return this.#effects.apply(this.id, effectHash, options)
  }

  discard(options: Cancellable = {}): Promise<EffectInfo> {
    return this.#effects.discard(this.id, options)
  }

  async #askInfo(method: 'session.get' | 'session.close', signal: AbortSignal | undefined): Promise<SessionInfo> {
    const { data } = await this.#ask({ method, params: {}, signal })
    return parseAnswer(SessionInfo, parseJson(data))
  }

  #ask({ params, ...call }: MachineCall): Promise<{ data: Uint8Array; trailer: unknown }> {
    const { machineId: target, id: sessionId } = this
    return this.#channels.ask({ ...call, target, params: { sessionId, ...params }, callId: newCallId() })
  }
}
