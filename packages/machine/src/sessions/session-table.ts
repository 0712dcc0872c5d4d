import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { CmdopError, type ExecParams, type Permit, type SessionInfo, type SessionOpenParams } from '@cmdop/protocol'
import type { Logger } from 'pino'
import { endMarked } from '../exec/process-group.ts'
import { type Recorder, subjectOf } from '../recordings/recorder.ts'
import { heldRestrictions } from '../restricted/held-restrictions.ts'
import type { Restricted } from '../restricted/restricted.ts'
import { restrictedShellPlace } from '../restricted/restricted-shell-place.ts'
import type { SessionPlace } from '../restricted/session-place.ts'
import { settingsOf } from '../restricted/user-environment.ts'
import { assertDirectory, findShell } from './find-shell.ts'
import { MirroredCommand } from './mirrored-command.ts'
import type { PtyHost } from './pty/pty.ts'
import { ScreenThread } from './screen/screen-thread.ts'
import { endedError, Session, type SessionIdentity } from './session.ts'
import { SessionJournal } from './session-journal.ts'
import { realPlace, removeOwnFolder, type ShellPlace, type ShellRequest } from './shell-place.ts'

/** Sessions that run on a machine at once. */
export const MAX_SESSIONS = 64

/** Milliseconds in which the output of a session that is over can still be read, longer if a lost operator may come back. */
const OUTPUT_KEPT_MS = 60_000

/** Sessions that are over whose output can still be read at most; of older ones only the journal knows. */
const MAX_ENDED_KEPT = 32

/** Milliseconds in which a stopping daemon waits for those who are attached to be told. */
const TELL_WITHIN_MS = 1000

export interface SessionTableOptions {
  readonly machineId: string
  /** Of the journal and of older output. */
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly home: string
  readonly log: Logger
  /** Of sessions that nothing restricts. */
  readonly ptys: PtyHost
  /** Of the others. */
  readonly restricted: Restricted
  /** Without it nothing is recorded. */
  readonly recorder: Pick<Recorder, 'begin'> | undefined
}

/** The sessions of this machine: running, over, and lost with an earlier daemon. */
export class SessionTable {
  readonly #options: SessionTableOptions
  readonly #journal: SessionJournal
  readonly #screens = new ScreenThread()
  /** Running, and over while their output is kept. */
  readonly #sessions = new Map<string, Session>()
  /** Of those that run and are restricted. */
  readonly #places = new Map<string, SessionPlace>()
  /** Settle with the start of their shell. */
  readonly #starting = new Map<string, Promise<Session>>()
  readonly #forgetting = new Map<Session, NodeJS.Timeout>()
  #closed = false

  constructor(options: SessionTableOptions) {
    this.#options = options
    this.#journal = new SessionJournal(options.folder)
    mkdirSync(this.#outputFolder, { recursive: true, mode: 0o700 })
  }

  /** Sessions that run. */
  get size(): number {
    const running = [...this.#sessions.values()].filter(({ id, isRunning }) => isRunning && !this.#starting.has(id))
    return running.length + this.#starting.size
  }

  /** Ends what an earlier daemon left running; its sessions are `lost` from then on. */
  async endLeftovers(): Promise<void> {
    const left = this.#journal.left()
    const ended = await Promise.all(left.map(({ sessionId }) => endMarked(this.#marker(sessionId), 'SIGHUP')))
    for (const { sessionId, info } of left) {
      if (info === undefined) this.#journal.forget(sessionId)
      else this.#journal.end(lostInfo(info))
    }
    rmSync(this.#shellFolder, { recursive: true, force: true })
    await removeOwnFolder(this.#ownFolders)
    if (left.length === 0) return
    const processes = ended.reduce((sum, count) => sum + count, 0)
    const sessions = left.map(({ sessionId }) => sessionId)
    this.#options.log.warn({ processes, sessions }, 'ended what an earlier daemon left of its sessions')
  }

  /** Opens a session; its id is the call id, and the same call again gives the same session. */
  async open(callId: string, params: SessionOpenParams, permit: Permit): Promise<SessionInfo> {
    const known = this.#starting.get(callId) ?? this.#sessions.get(callId)
    if (known !== undefined) return sameInfo(await known, params, permit)
    const over = this.#journal.find(callId)
    if (over !== undefined) throw new CmdopError('conflict', 'This call id was used before; open with a new one.')
    if (this.#closed) throw new CmdopError('unavailable', 'The daemon of the machine is stopping; nothing ran.')
    if (this.size >= MAX_SESSIONS)
      throw new CmdopError('unavailable', `The machine has ${MAX_SESSIONS} sessions already; close one first.`)
    if (params.kind === 'run' && params.onRecordingFailure === 'pause')
      throw new CmdopError('validation', 'A session of kind run cannot pause; choose `continue` or `terminate`.')
    const starting = this.#start(callId, params, permit)
    this.#starting.set(callId, starting)
    try {
      return (await starting).info
    } finally {
      this.#starting.delete(callId)
    }
  }

  /** A session that runs, or whose output is still kept. Throws `not_found`, `session_lost` and `session_ended`. */
  async find(sessionId: string): Promise<Session> {
    const session = (await this.#starting.get(sessionId)?.catch(() => undefined)) ?? this.#sessions.get(sessionId)
    if (session !== undefined) return session
    const over = this.#journal.find(sessionId)
    if (over === undefined) throw new CmdopError('not_found', 'This machine knows no such session.')
    throw endedError(over.endReason ?? 'lost')
  }

  /** What is known of a session, also when it is over. Throws `not_found`. */
  async info(sessionId: string): Promise<SessionInfo> {
    const session = (await this.#starting.get(sessionId)?.catch(() => undefined)) ?? this.#sessions.get(sessionId)
    const info = session?.info ?? this.#journal.find(sessionId)
    if (info === undefined) throw new CmdopError('not_found', 'This machine knows no such session.')
    return info
  }

  /** Sessions that run, the oldest first; with `ended` after the others. */
  async list({ ended }: { ended: boolean }): Promise<SessionInfo[]> {
    await Promise.allSettled(this.#starting.values())
    const here = [...this.#sessions.values()].map(({ info }) => info)
    const running = here.filter(({ state }) => state === 'running')
    if (!ended) return running
    const isHere = new Set(here.map(({ sessionId }) => sessionId))
    const over = this.#journal.over().filter(({ sessionId }) => !isHere.has(sessionId))
    return [...over, ...here.filter(({ state }) => state !== 'running'), ...running]
  }

  /**
   * Shows a command in the session that its parameters name, if they name one. Throws `not_found` unless that is of kind
   * `run`, and of the same principal; `session_lost` or `session_ended` when it is over.
   */
  mirror({ showIn, command, cwd }: ExecParams, { principalId }: Permit): MirroredCommand | undefined {
    if (showIn === undefined) return undefined
    const session = this.#sessions.get(showIn)
    const info = session?.info ?? this.#journal.find(showIn)
    if (info?.kind !== 'run' || info.createdBy.principalId !== principalId)
      throw new CmdopError('not_found', 'This machine has no such session of kind run of yours; nothing ran.')
    if (session?.isRunning !== true) throw endedError(info.endReason ?? 'lost')
    session.cwd = cwd ?? this.#options.home
    const mirrored = new MirroredCommand(
      (data) => session.show(data),
      () => session.leave(),
    )
    mirrored.begin(command)
    return mirrored
  }

  /**
   * Where a session of this principal lives; undefined for one that nothing restricts. Throws `not_found` unless there is such
   * a session, and it runs.
   */
  place(sessionId: string, { principalId }: Pick<Permit, 'principalId'>): SessionPlace | undefined {
    const session = this.#sessions.get(sessionId)
    if (session?.isRunning === true && session.info.createdBy.principalId === principalId)
      return this.#places.get(sessionId)
    throw new CmdopError('not_found', 'This machine has no such session of yours that runs; nothing ran.')
  }

  /** Ends a session, with everything in it. Of one that is over, what is known. */
  async end(sessionId: string): Promise<SessionInfo> {
    const session = (await this.#starting.get(sessionId)?.catch(() => undefined)) ?? this.#sessions.get(sessionId)
    return session === undefined ? this.info(sessionId) : session.close('closed')
  }

  /** Ends every session, and goes on. */
  async endAll(): Promise<void> {
    await Promise.allSettled(this.#starting.values())
    await Promise.all(Array.from(this.#sessions.values(), (session) => session.close('closed')))
  }

  /** Ends every session as `lost`, tells those who are attached, and waits until nothing of it is left. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#starting.values())
    const all = [...this.#sessions.values()]
    await Promise.all(all.map((session) => session.close('lost')))
    await Promise.race([Promise.all(all.map(({ participants }) => participants.gone())), wait(TELL_WITHIN_MS)])
    for (const [session, timer] of this.#forgetting) {
      clearTimeout(timer)
      await session.dispose()
    }
    await this.#screens[Symbol.asyncDispose]()
  }

  get #outputFolder(): string {
    return join(this.#options.folder, 'output')
  }

  get #shellFolder(): string {
    return join(this.#options.folder, 'shells')
  }

  get #ownFolders(): string {
    return resolve(this.#options.folder, 'own')
  }

  /** For what belongs to a session; a `terminal` has none. */
  #ownFolder(sessionId: string, { kind }: Pick<SessionOpenParams, 'kind'>): string | null {
    return kind === 'run' ? join(this.#ownFolders, sessionId) : null
  }

  /** Marks everything that a session starts. */
  #marker(sessionId: string): string {
    return `${this.#options.machineId}:${sessionId}`
  }

  async #start(callId: string, params: SessionOpenParams, permit: Permit): Promise<Session> {
    const session = await this.#create(callId, params, permit)
    try {
      this.#record(session, params, permit)
      this.#journal.begin(session.info)
      const folder = this.#ownFolder(callId, params)
      if (folder !== null) mkdirSync(folder, { recursive: true, mode: 0o700 })
      if (params.kind === 'terminal') await session.openShell()
      else await this.#places.get(callId)?.prove()
    } catch (error) {
      this.#journal.forget(callId)
      await session.close('closed')
      await session.dispose()
      this.#places.delete(callId)
      throw error
    }
    this.#sessions.set(callId, session)
    void session.ended.then((info) => this.#ended(session, info))
    return session
  }

  async #create(callId: string, params: SessionOpenParams, permit: Permit): Promise<Session> {
    const { principalId, principalKind, principalName: name } = permit
    const restrictions = heldRestrictions(params.restrictions, permit) ?? null
    const settings = await settingsOf(restrictions ?? {}, this.#options)
    const cwd = params.cwd ?? settings.home
    assertDirectory(cwd)
    const shell = findShell(params.shell, settings.environment)
    const identity = {
      sessionId: callId,
      name: params.name ?? (params.kind === 'run' ? 'run' : basename(shell)),
      kind: params.kind,
      createdBy: { principalId, principalKind, name },
      createdAt: new Date().toISOString(),
      restrictions,
    }
    const session: Session = new Session({
      identity,
      shell,
      cwd,
      home: settings.home,
      size: params.size,
      idleTimeoutMs: params.idleTimeoutMs,
      folder: this.#outputFolder,
      screens: this.#screens,
      place: this.#newPlace(identity, {
        shell,
        cwd,
        environment: settings.environment,
        change: params.env,
        ownFolder: this.#ownFolder(callId, params),
        endSession: () => session.close('closed'),
      }),
    })
    return session
  }

  #newPlace(
    session: SessionIdentity,
    { shell, cwd, environment, change, ownFolder, endSession }: NewPlace,
  ): ShellPlace {
    const { ptys, restricted, log } = this.#options
    const { sessionId, restrictions } = session
    const request = {
      file: shell,
      environment,
      change,
      marker: this.#marker(sessionId),
      // Of its own for each shell: a run may have one after the other.
      newFolder: () => join(this.#shellFolder, `${sessionId}.${randomBytes(4).toString('hex')}`),
      ownFolder,
    }
    if (restrictions === null) return realPlace(ptys, request)
    const shared = ownFolder ?? undefined
    const place = restricted.newPlace({ session: { ...session, restrictions }, cwd, shared, endSession, log })
    this.#places.set(sessionId, place)
    return restrictedShellPlace(place, request)
  }

  #record(session: Session, params: SessionOpenParams, permit: Permit): void {
    const { name, shell } = session.info
    const subject = subjectOf(permit, { kind: 'session', title: name, reason: params.reason ?? null })
    const recording = this.#options.recorder?.begin(subject, {
      size: params.size,
      shell,
      onFailure: params.onRecordingFailure,
      failed: (action) => {
        if (action === 'terminate') void session.close('recording')
      },
    })
    if (recording !== undefined) session.record(recording)
  }

  /** A journal that cannot be written is a fault of the disk, and no reason to end other sessions. */
  #ended(session: Session, info: SessionInfo): void {
    this.#places.delete(session.id)
    try {
      this.#journal.end(info)
    } catch (err) {
      this.#options.log.error({ err, sessionId: session.id }, 'the session journal could not be written')
    }
    const keptMs = Math.max(OUTPUT_KEPT_MS, session.orphanedForMs)
    this.#forgetting.set(session, setTimeout(() => this.#forget(session), keptMs).unref())
    const [oldest] = this.#forgetting.keys()
    if (oldest !== undefined && this.#forgetting.size > MAX_ENDED_KEPT) this.#forget(oldest)
  }

  /** What is left of it is what the journal has. */
  #forget(session: Session): void {
    clearTimeout(this.#forgetting.get(session))
    this.#forgetting.delete(session)
    this.#sessions.delete(session.id)
    session.dispose().catch(() => {})
  }
}

interface NewPlace extends Pick<ShellRequest, 'environment' | 'change' | 'ownFolder'> {
  readonly shell: string
  readonly cwd: string
  readonly endSession: () => Promise<unknown>
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

function sameInfo({ info }: Session, { restrictions: given }: SessionOpenParams, permit: Permit): SessionInfo {
  const isOwn = info.createdBy.principalId === permit.principalId
  if (isOwn && isDeepStrictEqual(info.restrictions, heldRestrictions(given, permit) ?? null)) return info
  throw new CmdopError('conflict', 'This call id was used before; open with a new one.')
}

function lostInfo(info: SessionInfo): SessionInfo {
  const { lastActiveAt: endedAt } = info
  return { ...info, state: 'lost', endReason: 'lost', endedAt, lease: null, operators: 0, observers: 0, folder: null }
}
