import { type HostKind, HostProcess } from './host-process.ts'

/** Milliseconds until a host that was taken is replaced. */
const PAUSE_MS = 100

/** Hosts that were started and wait for their plan, so that a restricted command does not wait for the start of one. */
export class WarmHosts implements AsyncDisposable {
  readonly #kind: HostKind
  readonly #waiting: Promise<HostProcess | undefined>[] = []
  readonly #count: number
  #isClosed = false
  #timer: NodeJS.Timeout | undefined

  /** Keeps `count` hosts of one kind. An idle one takes about 40 MB. */
  constructor(kind: HostKind, count = 1) {
    this.#kind = kind
    this.#count = count
    this.#fill()
  }

  /** A host of this kind that is up, or undefined: another kind, none has been started yet, or it was refused. */
  async take({ privilege, network }: HostKind): Promise<HostProcess | undefined> {
    if (privilege !== this.#kind.privilege || network !== this.#kind.network) return undefined
    const host = await this.#waiting.shift()
    // Not at once: the command that this one is for wants the processor now.
    this.#timer ??= setTimeout(() => this.#fill(), PAUSE_MS).unref()
    return host === undefined || host.isGone ? undefined : host
  }

  /** Resolves when the hosts that are wanted are up, or were refused. */
  async ready(): Promise<void> {
    this.#fill()
    await Promise.all(this.#waiting)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    const hosts = await Promise.all(this.#waiting.splice(0))
    await Promise.all(hosts.map(async (host) => host?.[Symbol.asyncDispose]()))
  }

  #fill(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (!this.#isClosed && this.#waiting.length < this.#count)
      this.#waiting.push(HostProcess.start(this.#kind).catch(() => undefined))
  }
}
