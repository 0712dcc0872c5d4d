import {
  type Channel,
  CmdopError,
  type Participant,
  type SessionAttachParams,
  type SessionInfo,
  type SessionObserveParams,
  type TerminalSize,
} from '@cmdop/protocol'
import { Attribution, nameOf } from './attribution.ts'
import { Flow } from './flow.ts'
import { Participants } from './participants.ts'
import type { Pty, PtyExit } from './pty/pty.ts'
import type { ScreenThread } from './screen/screen-thread.ts'
import { SessionInput } from './session-input.ts'
import { SessionOutput } from './session-output.ts'
import type { SessionRecording } from './session-recording.ts'
import type { ShellPlace } from './shell-place.ts'
import type { ShellStart } from './session-shell.ts'
import type { ShellDriver } from './shell/shell-driver.ts'

/** Bytes that an operator may be behind before the terminal is slowed. */
const OPERATOR_BEHIND_BYTES = 1024 * 1024

/** Bytes that the screen may be behind; less when older output is not kept. */
const SCREEN_BEHIND_BYTES = 16 * 1024 * 1024
const SCREEN_BEHIND_UNSPOOLED_BYTES = 512 * 1024

export type EndReason = NonNullable<SessionInfo['endReason']>

/** What of a session does not change. */
export type SessionIdentity = Pick<
  SessionInfo,
  'sessionId' | 'name' | 'kind' | 'createdBy' | 'createdAt' | 'restrictions'
>

export interface SessionOptions {
  readonly identity: SessionIdentity
  /** Path of its shell. */
  readonly shell: string
  readonly cwd: string
  /** Where its shell starts when that is not there any more. */
  readonly home: string
  readonly size: TerminalSize
  readonly idleTimeoutMs: number | undefined
  /** Of its older output. */
  readonly folder: string
  readonly screens: ScreenThread
  /** Of its shell. A `terminal` starts it at once, a `run` when somebody takes over. */
  readonly place: ShellPlace
}

/** A terminal that several share. It outlives all of them. */
export class Session {
  readonly output: SessionOutput
  readonly participants: Participants
  /** Where its shell starts. */
  cwd: string
  readonly #options: SessionOptions
  readonly #flow: Flow
  readonly #ended = Promise.withResolvers<SessionInfo>()
  #size: TerminalSize
  #shell: ShellStart | undefined
  #driver: ShellDriver | undefined
  #pty: Pty | undefined
  #input: SessionInput | undefined
  #starting: Promise<void> | undefined
  #recording: SessionRecording | undefined
  #attribution: Attribution | undefined
  /** Pieces of output that the recording has not taken. */
  #unrecorded = 0
  #lastActiveAt = Date.now()
  #idle: NodeJS.Timeout | undefined
  #ending: { reason: EndReason; ended: Promise<void> } | undefined
  #exit: PtyExit = { exitCode: null, signal: null }
  /** Principal that has the lease. */
  #typist: string | undefined
  #orphanedForMs = 0
  #endedAt: string | null = null
  #endReason: EndReason | null = null

  constructor(options: SessionOptions) {
    this.#options = options
    this.cwd = options.cwd
    this.#size = options.size
    this.output = new SessionOutput(options)
    this.participants = new Participants(this)
    const { screen, scrollback } = this.output
    this.#flow = new Flow(
      [
        { behind: () => this.participants.behind, limit: () => OPERATOR_BEHIND_BYTES },
        {
          behind: () => screen.behind,
          limit: () => (scrollback.isSpooled ? SCREEN_BEHIND_BYTES : SCREEN_BEHIND_UNSPOOLED_BYTES),
        },
        { behind: () => this.#unrecorded, limit: () => 0 },
      ],
      () => this.#pty,
    )
    screen.onProgress = () => this.#flow.regulate()
    this.#watchIdle()
  }

  get id(): string {
    return this.#options.identity.sessionId
  }

  get size(): TerminalSize {
    return this.#size
  }

  /** What runs commands in its shell; undefined before there is one, and for one that we do not know. */
  get driver(): ShellDriver | undefined {
    return this.#driver
  }

  /** The longest time in milliseconds for which an operator that was lost at the end may come back. */
  get orphanedForMs(): number {
    return this.#orphanedForMs
  }

  /** Resolves with the last that is to be said of it. Never rejects. */
  get ended(): Promise<SessionInfo> {
    return this.#ended.promise
  }

  /** Whether there is something to type in. */
  get hasShell(): boolean {
    return this.#starting !== undefined
  }

  get isRunning(): boolean {
    return this.#endedAt === null
  }

  get info(): SessionInfo {
    const { scrollback } = this.output
    const { identity, shell } = this.#options
    return {
      ...identity,
      state: this.#endReason === null ? 'running' : this.#endReason === 'lost' ? 'lost' : 'ended',
      shell: identity.kind === 'terminal' || this.#shell !== undefined ? shell : null,
      pid: this.#pty?.pid ?? null,
      cwd: this.#driver?.directory?.toString() ?? this.cwd,
      size: this.#size,
      lastActiveAt: new Date(this.#lastActiveAt).toISOString(),
      endedAt: this.#endedAt,
      endReason: this.#endReason,
      exitCode: this.#exit.exitCode,
      signal: this.#exit.signal,
      lease: this.participants.lease.holder,
      operators: this.participants.operators,
      observers: this.participants.observers,
      outputBytes: scrollback.end,
      firstKeptOffset: scrollback.start,
      recordingId: this.#recording?.id ?? null,
      folder: this.isRunning ? this.#options.place.folder : null,
    }
  }

  /** Serves an operator until its channel is over. */
  attach(channel: Channel, who: Participant, params: SessionAttachParams): Promise<void> {
    this.#assertRunning()
    return this.participants.attach(channel, who, params)
  }

  /** Serves an observer until its channel is over. */
  observe(channel: Channel, who: Participant, params: SessionObserveParams): Promise<void> {
    this.#assertRunning()
    return this.participants.observe(channel, who, params)
  }

  /** Records it from now on. */
  record(recording: SessionRecording): void {
    this.#recording = recording
    this.#attribution = new Attribution((text) => recording.note(text))
  }

  /** Notes that a command of somebody was given to the shell. */
  executed(who: Participant): void {
    this.#lastActiveAt = Date.now()
    this.#recording?.note(`command by ${nameOf(who)}`)
  }

  /** Starts the shell, if there is none. */
  openShell(): Promise<void> {
    this.#assertRunning()
    this.#starting ??= this.#openShell().catch((error: unknown) => {
      this.#starting = undefined
      throw error
    })
    return this.#starting
  }

  /** Shows output that comes from elsewhere than the shell. */
  show(data: Uint8Array): void {
    if (!this.isRunning) return
    this.#lastActiveAt = Date.now()
    for (const piece of this.output.append(data)) this.#record(piece)
    this.#flow.regulate()
  }

  assertMayType({ principalKind }: Participant): void {
    if (this.hasShell || principalKind === 'human') return
    throw new CmdopError('conflict', 'This session shows what an AI operator does; only a person takes it over.')
  }

  /**
   * Types, for somebody who may. Resolves when more may be typed. Throws `input_overflow` when the program does not read;
   * nothing of it is taken then.
   */
  async input(who: Participant, data: Uint8Array): Promise<void> {
    this.#assertRunning()
    // A person who takes over from an AI operator gets a shell to type in.
    await this.openShell()
    this.#lastActiveAt = Date.now()
    const taken = this.#input?.write(data)
    this.#driver?.typed(data)
    this.#attribution?.typed(who, data.length)
    await taken
  }

  resize(size: TerminalSize): void {
    if (size.columns === this.#size.columns && size.rows === this.#size.rows) return
    this.#size = size
    this.output.screen.resize(size)
    this.#pty?.resize(size)
    this.#recording?.resized(size)
    this.participants.tell({ type: 'resized', size })
  }

  leaseChanged(lease: Participant | null): void {
    this.#dropOf(this.#typist, lease?.principalId)
    this.#typist = lease?.principalId
    this.#attribution?.flush()
    this.#recording?.note(lease === null ? 'lease: nobody' : `lease: ${nameOf(lease)}`)
    // Should it fail, typing says so.
    const isTakenOver = lease?.principalKind === 'human' && this.isRunning && this.#ending === undefined
    if (isTakenOver) this.openShell().catch(() => {})
  }

  moved(): void {
    this.#flow.regulate()
  }

  /** Ends it and everything that was started in it. The first reason counts. */
  async close(reason: EndReason): Promise<SessionInfo> {
    // What a shell left on purpose stays.
    if (!this.isRunning) return this.ended
    this.#ending ??= { reason, ended: this.#endShell(reason) }
    await this.#ending.ended
    return this.ended
  }

  /** Whoever ran commands in it was lost: it is over, unless a person took it over. */
  leave(): void {
    if (!this.hasShell && this.isRunning) void this.close('idle')
  }

  /** Forgets its output, which was kept for those who came back after the end. */
  async dispose(): Promise<void> {
    await this.output[Symbol.asyncDispose]()
  }

  /** Nothing that others typed, or gave to run, is to reach the shell once another principal may type. */
  #dropOf(former: string | undefined, typist: string | undefined): void {
    if (typist === undefined) return
    if (former !== undefined && former !== typist) this.#pty?.dropInput()
    this.#driver?.takenOver(typist)
  }

  async #openShell(): Promise<void> {
    const { place, home } = this.#options
    const shell = await place.prepareShell()
    const { file, args, env } = shell
    const onData = (data: Uint8Array) => this.show(this.#driver?.feed(data) ?? data)
    const cwd = (await place.isDirectory(this.cwd)) ? this.cwd : home
    const pty = await place.ptys.spawn({ file, args, env, cwd, size: this.#size, onData })
    this.#shell = shell
    this.#driver = shell.createDriver(pty, () => this.output.scrollback.end)
    this.#pty = pty
    this.#input = new SessionInput(pty)
    void pty.exit.then((exit) => this.#exited(exit))
  }

  #record(data: Uint8Array): void {
    const waiting = this.#recording?.output(data)
    if (waiting === undefined) return
    this.#unrecorded += 1
    void waiting.then(() => {
      this.#unrecorded -= 1
      this.#flow.regulate()
    })
  }

  async #endShell(reason: EndReason): Promise<void> {
    this.#flow.open()
    await this.#starting?.catch(() => {})
    if (this.#pty !== undefined) await this.#options.place.endShell(this.#pty)
    // Also when the system does not let go of the shell.
    await this.#finish(reason, this.#exit)
  }

  async #exited(exit: PtyExit): Promise<void> {
    if (this.#driver !== undefined) this.show(this.#driver.end(exit))
    if (this.#options.identity.kind === 'run' && this.#ending === undefined) await this.#handBack()
    else await this.#finish(this.#ending?.reason ?? 'exited', exit)
  }

  /** The shell of somebody who took over has ended: what the AI operator does is shown on. */
  async #handBack(): Promise<void> {
    const shell = this.#shell
    this.#shell = undefined
    this.#driver = undefined
    this.#pty = undefined
    this.#input = undefined
    this.#starting = undefined
    this.show(Buffer.from('\x1b[m\r\n'))
    await shell?.dispose()
    await this.#options.place.shellEnded()
  }

  async #finish(reason: EndReason, exit: PtyExit): Promise<void> {
    if (!this.isRunning) return
    this.#exit = exit
    this.#endReason = reason
    this.#endedAt = new Date().toISOString()
    clearTimeout(this.#idle)
    this.#orphanedForMs = this.participants.orphanedForMs
    this.participants[Symbol.dispose]()
    this.#attribution?.flush()
    const { info } = this
    this.output.finish({ ...exit, state: info.state, endReason: reason })
    await this.#shell?.dispose()
    await this.#options.place.close()
    await this.#recording?.end({ exitCode: exit.exitCode })
    this.#ended.resolve(info)
  }

  #assertRunning(): void {
    if (this.isRunning && this.#ending === undefined) return
    throw endedError(this.#endReason ?? this.#ending?.reason ?? 'closed')
  }

  /** Neither input nor output: a long job that prints, or a person who types, keeps it. */
  #watchIdle(): void {
    const { idleTimeoutMs } = this.#options
    if (idleTimeoutMs === undefined || !this.isRunning) return
    const left = this.#lastActiveAt + idleTimeoutMs - Date.now()
    if (left <= 0) void this.close('idle')
    else this.#idle = setTimeout(() => this.#watchIdle(), left)
  }
}

/** What is said to who comes too late. */
export function endedError(reason: EndReason): CmdopError {
  if (reason === 'lost')
    return new CmdopError('session_lost', 'The daemon of the machine ended under this session; open a new one.')
  const why = {
    exited: 'its shell exited',
    closed: 'it was closed',
    idle: 'nobody used it',
    recording: 'it could not be recorded',
  }
  return new CmdopError('session_ended', `The session is over: ${why[reason]}. Open a new one.`)
}
