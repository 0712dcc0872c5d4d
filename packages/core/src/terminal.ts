import { CmdopError, isCmdopError, type SessionInfo, type SessionList } from '@cmdop/protocol'
import { itemsOf, onePage } from './pages.ts'
import type { Me } from './resources.ts'
import type { RemoteMachine } from './remote-machine.ts'
import type { ExecuteOptions, ExecuteResult } from './sessions/execute.ts'
import type { AttachOptions, Session, SessionOpenOptions } from './sessions/session.ts'
import type { Attachment } from './sessions/session-events.ts'

interface Cancellable {
  signal?: AbortSignal | undefined
}

/** What the namespace needs of its client. */
export interface TerminalClient {
  machine(reference: string, options: { signal?: AbortSignal }): Promise<RemoteMachine>
  me(options: { signal?: AbortSignal }): Promise<Me>
}

/**
 * `client.terminal`: one machine and one session at a time, for scripts that work through machines one after another.
 * The machine stays until it is set anew; setting another one while a call on it is not settled is `conflict`, and a call
 * without one is `config`. Work on several machines at once through their handles: `client.machine(...)`.
 */
export class TerminalNamespace {
  readonly #client: TerminalClient
  #machine: RemoteMachine | undefined
  #session: Session | undefined
  #opening: Promise<Session> | undefined
  /** References that are being resolved, and how often. */
  readonly #changes: string[] = []
  #unsettled = 0

  constructor(client: TerminalClient) {
    this.#client = client
  }

  /** The machine that is set, which is also the one that `client.agent.run` works on; undefined: none. */
  get machine(): RemoteMachine | undefined {
    return this.#machine
  }

  /** Sets the machine that the reference means: id, hostname, name or unique prefix. */
  async setMachine(reference: string, { signal }: Cancellable = {}): Promise<RemoteMachine> {
    if (this.#changes.some((other) => other !== reference)) throw changedError(reference)
    this.#changes.push(reference)
    try {
      const machine = await this.#client.machine(reference, signal === undefined ? {} : { signal })
      if (machine.id !== this.#machine?.id) this.#become(machine)
      return machine
    } finally {
      this.#changes.pop()
    }
  }

  /** A call of somebody else on the machine that is set: until it settles no other one can be. */
  hold(call: PromiseLike<unknown>): void {
    this.#unsettled += 1
    const settle = (): void => void (this.#unsettled -= 1)
    call.then(settle, settle)
  }

  /**
   * The caller's session on the machine, which is set first when it is named. It is the one that was last used here while
   * it runs; else the newest running terminal without restrictions that the same principal opened; else a new one.
   */
  async getActiveSession(reference?: string, options: Cancellable = {}): Promise<Session> {
    if (reference !== undefined) await this.setMachine(reference, options)
    return this.#call((machine) => this.#active(machine, options))
  }

  /**
   * Runs a command in the active session: `const [output, exitCode] = await client.terminal.execute('uptime')`.
   * When its session is over this rejects with `session_ended` or `session_lost`, and the next one gets another session.
   */
  execute(command: string, options: ExecuteOptions = {}): Promise<ExecuteResult> {
    return this.#call(async (machine) => {
      const session = this.#session ?? (await this.#active(machine, options))
      try {
        return await session.execute(command, options)
      } catch (error) {
        if (isEnded(error) && this.#session === session) this.#session = undefined
        throw error
      }
    })
  }

  /**
   * Attaches to the active session, as an operator unless you say. An observer opens none: without a session of its own
   * it sees the newest running one of the machine, whoever opened it; without any this is `not_found`.
   */
  stream(options: AttachOptions = {}): Promise<Attachment> {
    return this.#call(async (machine) => {
      const session = options.mode === 'observer' ? await this.#visible(machine, options) : undefined
      return (session ?? (await this.#active(machine, options))).attach(options)
    })
  }

  /** The sessions of the machine. */
  list(options: { ended?: boolean; signal?: AbortSignal } = {}): Promise<readonly SessionInfo[]> {
    return this.#call((machine) => machine.sessions.list(options))
  }

  /** Each of them. */
  iter(options: { ended?: boolean; signal?: AbortSignal } = {}): AsyncGenerator<SessionInfo> {
    return itemsOf(this.pages(options), ({ sessionId }) => sessionId, options)
  }

  /** Every page: all are on one. */
  pages(options: { ended?: boolean; signal?: AbortSignal } = {}): AsyncGenerator<SessionList> {
    return onePage(async () => ({ items: [...(await this.list(options))] }))
  }

  /** Opens a session, which becomes the active one. */
  create(options: SessionOpenOptions = {}): Promise<Session> {
    return this.#call(async (machine) => this.#use(await machine.sessions.open(options)))
  }

  /** Attaches to a session by its id; to operate it makes it the active one. Throws `not_found`. */
  attach(sessionId: string, options: AttachOptions = {}): Promise<Attachment> {
    return this.#call(async (machine) => {
      const session = await machine.sessions.get(sessionId, options)
      const attachment = await session.attach(options)
      if (attachment.mode === 'operator') this.#use(session)
      return attachment
    })
  }

  #become(machine: RemoteMachine): void {
    if (this.#unsettled > 0) throw changedError(machine.name)
    this.#machine = machine
    this.#session = undefined
    this.#opening = undefined
  }

  /** A call on the machine that is set now; until it settles no other one can be set. */
  async #call<Value>(work: (machine: RemoteMachine) => Promise<Value>): Promise<Value> {
    const machine = this.#machine
    if (machine === undefined)
      throw new CmdopError('config', 'No machine is set: call client.terminal.setMachine("<machine>") first.')
    this.#unsettled += 1
    try {
      return await work(machine)
    } finally {
      this.#unsettled -= 1
    }
  }

  #use(session: Session): Session {
    this.#session = session
    return session
  }

  /** Two calls at once get the same session. */
  #active(machine: RemoteMachine, options: Cancellable): Promise<Session> {
    this.#opening ??= this.#findOrOpen(machine, options).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #findOrOpen(machine: RemoteMachine, { signal }: Cancellable): Promise<Session> {
    const [running, me] = await Promise.all([
      machine.sessions.list(signal === undefined ? {} : { signal }),
      this.#client.me(signal === undefined ? {} : { signal }),
    ])
    if (this.#session !== undefined && running.some(({ sessionId }) => sessionId === this.#session?.id))
      return this.#session
    const own = newest(
      running.filter(
        ({ kind, createdBy, restrictions }) =>
          kind === 'terminal' && restrictions === null && createdBy.principalId === me.principalId,
      ),
    )
    return this.#use(
      own === undefined
        ? await machine.sessions.open({ signal })
        : await machine.sessions.get(own.sessionId, { signal }),
    )
  }

  async #visible(machine: RemoteMachine, { signal }: Cancellable): Promise<Session> {
    if (this.#session !== undefined) return this.#session
    const running = await machine.sessions.list(signal === undefined ? {} : { signal })
    const me = await this.#client.me(signal === undefined ? {} : { signal })
    const session =
      newest(running.filter(({ createdBy }) => createdBy.principalId === me.principalId)) ?? newest(running)
    if (session === undefined)
      throw new CmdopError('not_found', `There is no running session on ${machine.name} to observe.`)
    return machine.sessions.get(session.sessionId, { signal })
  }
}

function newest(sessions: readonly SessionInfo[]): SessionInfo | undefined {
  return sessions.toSorted((one, other) => other.createdAt.localeCompare(one.createdAt))[0]
}

function isEnded(error: unknown): boolean {
  return isCmdopError(error) && ['session_ended', 'session_lost', 'not_found'].includes(error.code)
}

function changedError(machine: string): CmdopError {
  return new CmdopError(
    'conflict',
    `A call on the machine of client.terminal has not settled, so the machine cannot become ${machine}; wait for it, or use client.machine("${machine}").`,
  )
}
