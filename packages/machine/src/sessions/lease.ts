import { CmdopError, type Lease, LEASE_IDLE_MS, type Participant, type SessionLease } from '@cmdop/protocol'

/** Operators that may wait for the lease at once: as many as a notice names. */
const MAX_WAITING = 4

/** The right to type in a session, which one operator has at a time. */
export class InputLease implements Disposable {
  readonly #changed: () => void
  #lease: Lease | null = null
  #waiting: Participant[] = []
  #lastInput = 0
  #timer: NodeJS.Timeout | undefined
  #next = Promise.withResolvers<void>()

  /** Called whenever somebody else has it or waits for it. */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  get holder(): Lease | null {
    return this.#lease
  }

  /** Resolves when somebody else has it or waits for it. */
  get changed(): Promise<void> {
    return this.#next.promise
  }

  get notice(): SessionLease {
    const waiting = this.#waiting.map(({ participantId, name }) => ({ participantId, name }))
    return { type: 'lease', lease: this.#lease, waiting }
  }

  isHeldBy(who: Participant): boolean {
    return this.#lease !== null && isSame(this.#lease, who)
  }

  /** The holder has typed: it is not idle. */
  touch(): void {
    this.#lastInput = performance.now()
  }

  /** Gives it to an operator if nobody has it. Whether that one has it now. */
  takeFree(who: Participant): boolean {
    if (this.#lease === null) this.#give(who)
    return this.isHeldBy(who)
  }

  /** A person takes it from whoever is none; everybody takes it from oneself. Otherwise throws `conflict`. */
  take(who: Participant): void {
    const holder = this.#lease
    if (this.isHeldBy(who)) return
    const may =
      holder === null ||
      holder.principalId === who.principalId ||
      (who.principalKind === 'human' && holder.principalKind !== 'human')
    if (!may) throw new CmdopError('conflict', `${holder.name} is typing; ask for the lease instead of taking it.`)
    this.#give(who)
  }

  /** Gives it at once when nobody has it or the holder is idle; otherwise waits in line. Throws `conflict` when that is long. */
  request(who: Participant): void {
    if (this.takeFree(who)) return
    if (performance.now() - this.#lastInput >= LEASE_IDLE_MS) return this.#give(who)
    if (this.#waiting.some((other) => isSame(other, who))) return
    if (this.#waiting.length >= MAX_WAITING)
      throw new CmdopError('conflict', `${MAX_WAITING} operators wait for the lease already; try again later.`)
    this.#waiting.push(who)
    this.#change()
  }

  /** The holder gives it to another one. Throws `conflict` when it is not the holder. */
  grant(from: Participant, to: Participant): void {
    if (!this.isHeldBy(from))
      throw new CmdopError('conflict', 'Only who has the lease can give it to somebody; take or request it.')
    if (!this.isHeldBy(to)) this.#give(to)
  }

  /** An operator gives it up, or leaves. It goes to the first who waits. */
  release(who: Participant): void {
    const wasWaiting = this.#forget(who)
    if (this.isHeldBy(who)) this.#pass()
    else if (wasWaiting) this.#change()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  #pass(): void {
    const next = this.#waiting[0]
    if (next !== undefined) return this.#give(next)
    this.#lease = null
    this.#change()
  }

  #give(who: Participant): void {
    const { participantId, principalId, principalKind, name } = who
    this.#forget(who)
    this.#lease = { participantId, principalId, principalKind, name, since: new Date().toISOString() }
    this.touch()
    this.#change()
  }

  #forget(who: Participant): boolean {
    const before = this.#waiting.length
    this.#waiting = this.#waiting.filter((other) => !isSame(other, who))
    return this.#waiting.length < before
  }

  #change(): void {
    clearTimeout(this.#timer)
    if (this.#waiting.length > 0) this.#watchIdle()
    this.#next.resolve()
    this.#next = Promise.withResolvers()
    this.#changed()
  }

  #watchIdle(): void {
    const idleFor = performance.now() - this.#lastInput
    this.#timer = setTimeout(
      () => {
        if (performance.now() - this.#lastInput >= LEASE_IDLE_MS) this.#pass()
        else this.#watchIdle()
      },
      Math.max(1, LEASE_IDLE_MS - idleFor),
    ).unref()
  }
}

/** An id alone says nothing: everybody sees it, and each client chooses its own. */
export function isSame(one: Participant, other: Participant): boolean {
  return one.participantId === other.participantId && one.principalId === other.principalId
}
