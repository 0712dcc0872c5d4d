import { type HostKind, HostProcess } from './host-process.ts'
import { type EnteredHost, type PlanOfView, PreparedView } from './prepared-view.ts'

/** Milliseconds until a host that was taken is replaced. */
const PAUSE_MS = 100

/** What a host is wanted for. */
export interface WantedView {
  readonly kind: HostKind
  readonly plan: PlanOfView
  /** State folder of the view; it must not exist. */
  readonly state: string
  /** Folder that `state` is in. */
  readonly folder: string
}

/**
 * Hosts that were started before they are asked for, so that a restricted command does not wait for the start of one: `count` of
 * them wait for any plan of their kind, and one more is in the view that was asked for last, built ahead. An idle host takes
 * about 40 MB.
 */
export class WarmHosts implements AsyncDisposable {
  readonly #kind: HostKind
  readonly #count: number
  readonly #waiting: Promise<HostProcess | undefined>[] = []
  #last: Pick<WantedView, 'plan' | 'folder'> | undefined
  #preparing: Promise<void> | undefined
  #prepared: PreparedView | undefined
  #retired: Promise<void> | undefined
  #isClosed = false
  #timer: NodeJS.Timeout | undefined

  constructor(kind: HostKind, count = 1) {
    this.#kind = kind
    this.#count = count
    this.#fill()
  }

  /** A host in this view, where the one that was built ahead is it. */
  takeEntered({ kind, plan, state, folder }: WantedView): EnteredHost | undefined {
    if (!this.#isOf(kind)) return undefined
    this.#last = { plan, folder }
    const prepared = this.#prepared
    this.#prepared = undefined
    this.#refillSoon()
    let entered: EnteredHost | undefined
    try {
      entered = prepared?.take(plan, state)
      return entered
    } finally {
      // What it is not good for now, it will hardly be later.
      if (entered === undefined && prepared !== undefined) this.#retired = retire(prepared)
    }
  }

  /** A host of this kind that waits for its plan, or undefined: another kind, none has been started yet, or it was refused. */
  async take(kind: HostKind): Promise<HostProcess | undefined> {
    if (!this.#isOf(kind)) return undefined
    const host = await this.#waiting.shift()
    this.#refillSoon()
    return host === undefined || host.isGone ? undefined : host
  }

  /** Resolves when the hosts that are wanted are up, or were refused. */
  async ready(): Promise<void> {
    this.#fill()
    await Promise.all([...this.#waiting, this.#preparing])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await Promise.all([this.#preparing, this.#retired])
    const idle = [...(await Promise.all(this.#waiting.splice(0))), this.#prepared]
    await Promise.all(idle.map(async (each) => each?.[Symbol.asyncDispose]()))
  }

  #isOf({ privilege, network }: HostKind): boolean {
    return privilege === this.#kind.privilege && network === this.#kind.network
  }

  /** Not at once: the command that a host was taken for wants the processor now. */
  #refillSoon(): void {
    this.#timer ??= setTimeout(() => this.#fill(), PAUSE_MS).unref()
  }

  #fill(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#isClosed) return
    if (this.#last !== undefined && this.#prepared === undefined) this.#preparing ??= this.#prepare(this.#last)
    while (this.#waiting.length < this.#count) this.#waiting.push(HostProcess.start(this.#kind).catch(() => undefined))
  }

  async #prepare({ plan, folder }: Pick<WantedView, 'plan' | 'folder'>): Promise<void> {
    try {
      this.#prepared = await PreparedView.build(await HostProcess.start(this.#kind), plan, folder)
    } catch {
      // Whoever asks for this view is told by the attempt to build it for them.
    } finally {
      this.#preparing = undefined
    }
  }
}

/** The command that does not want it does not wait either; what is left of it is swept. */
async function retire(prepared: PreparedView): Promise<void> {
  await prepared[Symbol.asyncDispose]().catch(() => {})
}
