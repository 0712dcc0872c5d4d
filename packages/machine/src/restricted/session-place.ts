import { CmdopError, type EffectList, type SessionInfo } from '@cmdop/protocol'
import type { Sandbox, View } from '@cmdop/sandbox'
import type { Logger } from 'pino'
import type { EffectTable } from './effects/effect-table.ts'
import type { EffectOrigin, RunningTransaction, Transaction } from './effects/transaction.ts'
import { freezeSandbox } from './freeze-sandbox.ts'
import { keepsChanges } from './held-restrictions.ts'
import type { Sandboxes } from './sandboxes.ts'

/** Characters of a session's id in that of a view or effect after its first; an id has 64. */
const ID_PREFIX = 56

export interface SessionPlaceOptions {
  readonly sandboxes: Sandboxes
  readonly effects: EffectTable
  readonly session: Pick<SessionInfo, 'sessionId' | 'name' | 'kind' | 'createdBy'> & {
    readonly restrictions: NonNullable<SessionInfo['restrictions']>
  }
  /** Where its commands start. */
  readonly cwd: string
  /** Of the machine, for what belongs to the session: the one folder that all its views share. */
  readonly shared: string | undefined
  /** Nothing else works on the files of this view any more. */
  readonly leave: (viewId: string) => Promise<void>
  /** Ends the session; its shell first. */
  readonly endSession: () => Promise<unknown>
  readonly log: Logger
}

/**
 * Where a restricted session lives: one view after the other. One lasts until its changes are decided on, or the session ends; the
 * next begins with the machine as it is then.
 */
export class SessionPlace {
  readonly #options: SessionPlaceOptions
  #current: Promise<SessionView> | undefined
  #count = 0
  /** While its changes are decided on, nothing starts. */
  #deciding: Promise<void> | undefined
  #isOver = false
  #folder: string | null = null

  constructor(options: SessionPlaceOptions) {
    this.#options = options
  }

  get restrictions(): SessionPlaceOptions['session']['restrictions'] {
    return this.#options.session.restrictions
  }

  /** Where its commands start. */
  get cwd(): string {
    return this.#options.cwd
  }

  /** The folder that its views share, of the machine; undefined: they share none. */
  get shared(): string | undefined {
    return this.#options.shared
  }

  /** The same as commands have it, once a view was opened; null where they do not reach it. */
  get folder(): string | null {
    return this.#folder
  }

  /** Whether each command is a transaction of its own, applied when it breaks nothing; else they share a view. */
  get isPerCommand(): boolean {
    const { noDelete, noOverwrite, dryRun, readOnly } = this.restrictions
    const isJudged = noDelete === true || noOverwrite === true
    return this.#options.session.kind === 'run' && isJudged && dryRun !== true && readOnly !== true
  }

  /** Whether what runs is to be ended at once: its view must not change any more. */
  get isDeciding(): boolean {
    return this.#deciding !== undefined
  }

  /** The sandbox of now. Rejects with `restriction_unenforceable` or `no_space`, and `session_ended` where the session is over. */
  async enter(): Promise<Sandbox> {
    while (this.#deciding !== undefined) await this.#deciding
    if (this.#isOver) throw new CmdopError('session_ended', 'The session is over; nothing ran.')
    this.#current ??= this.#open()
    const current = this.#current
    try {
      return (await current).sandbox
    } catch (error) {
      if (this.#current === current) this.#current = undefined
      throw error
    }
  }

  /** Finds out whether this machine can hold the restrictions. Rejects with `restriction_unenforceable`. */
  async prove(): Promise<void> {
    await this.enter()
    if (this.isPerCommand) await this.leave()
  }

  /** What ran in the view is over, and the session is not: the effect waits to be decided on. */
  async leave(): Promise<void> {
    while (this.#deciding !== undefined) await this.#deciding
    const current = this.#current
    this.#current = undefined
    if (current === undefined) return
    const settled = current.then(
      (view) => this.#settle(view),
      () => {},
    )
    this.#deciding = settled.catch(() => {}).then(() => (this.#deciding = undefined))
    await settled
  }

  /** The session is over, and with it all that runs in its view. Never rejects. */
  async close(): Promise<void> {
    while (this.#deciding !== undefined) await this.#deciding
    this.#isOver = true
    await this.#leaveLogged()
  }

  async #open(): Promise<SessionView> {
    const { sandboxes, effects, session, cwd, shared } = this.#options
    const { sessionId, name: title, createdBy, restrictions } = session
    if (keepsChanges(restrictions)) effects.refuseWhenFull()
    this.#count += 1
    const number = this.#count
    const id = number === 1 ? sessionId : this.#numbered(number)
    const sandbox = await sandboxes.open(restrictions, { id, cwd, shared })
    this.#folder = sandbox.shared ?? null
    const origin: EffectOrigin = { effectId: sessionId, kind: 'session', title, restrictions, createdBy }
    const keptAs = () => (this.#isOver || session.kind === 'terminal' ? sessionId : this.#numbered(number))
    const view = new SessionView(sandbox, { origin, keptAs, running: this.#running(() => view) })
    if (view.transaction !== undefined) effects.begin(view.transaction)
    void sandbox.gone.then(() => this.#lost(view))
    return view
  }

  #numbered(number: number): string {
    return `${this.#options.session.sessionId.slice(0, ID_PREFIX)}-${number}`
  }

  #running(viewOf: () => SessionView): RunningTransaction {
    let decision: { readonly over: () => void; ended: Promise<unknown> } | undefined
    return {
      freeze: async () => {
        const { leave, endSession, session } = this.#options
        const view = viewOf()
        if (this.#deciding !== undefined || view.isOver)
          throw new CmdopError('conflict', 'The session is just leaving this view; try again.')
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#deciding = promise
        decision = { over: resolve, ended: Promise.resolve() }
        await leave(view.sandbox.id)
        // A terminal does not go on without its shell. It ends once this is decided.
        if (session.kind === 'terminal') decision.ended = endSession()
        return view.freeze()
      },
      decided: async (outcome) => {
        // Of what was not frozen, nothing was held up.
        if (decision === undefined) return
        const { over, ended } = decision
        decision = undefined
        const view = viewOf()
        try {
          if (outcome === 'gone') {
            view.isOver = true
            this.#current = undefined
            await view.sandbox.discard()
          } else view.sandbox.thaw()
        } finally {
          this.#deciding = undefined
          over()
        }
        await ended
      },
    }
  }

  async #settle(view: SessionView): Promise<void> {
    const { leave, effects } = this.#options
    view.isOver = true
    await leave(view.sandbox.id)
    const sideEffects = await view.freeze()
    await view.sandbox.close()
    if (view.transaction !== undefined) await effects.settle(view.transaction, { sideEffects, isJudged: false })
  }

  /** Its host ended by itself, and all that ran with it. What it changed is there. */
  async #lost(view: SessionView): Promise<void> {
    while (this.#deciding !== undefined) await this.#deciding
    if (!view.isOver) await this.#leaveLogged()
  }

  async #leaveLogged(): Promise<void> {
    const { log, session } = this.#options
    await this.leave().catch((err: unknown) => {
      log.error({ err, sessionId: session.sessionId }, 'the view of a session could not be closed')
    })
  }
}

/** One view of a session. */
class SessionView {
  readonly sandbox: Sandbox
  /** Undefined where the restrictions keep no changes. */
  readonly transaction: Transaction | undefined
  isOver = false

  constructor(sandbox: Sandbox, transaction: Omit<Transaction, 'view'>) {
    this.sandbox = sandbox
    const view: View | undefined = sandbox.view
    this.transaction = view && { ...transaction, view }
  }

  freeze(): Promise<EffectList['sideEffects']> {
    return freezeSandbox(this.sandbox)
  }
}
