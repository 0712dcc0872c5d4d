import {
  type Channel,
  CmdopError,
  isCmdopError,
  type Lease,
  type Participant,
  type SessionAttachParams,
  type SessionAttached,
  type SessionNotice,
  type SessionObserveParams,
  type SessionRequest,
  type TerminalSize,
} from '@cmdop/protocol'
import { InputLease, isSame } from './lease.ts'
import { Observer, type ObserverHost } from './observer.ts'
import { Operator, type OperatorHost } from './operator.ts'
import type { SessionOutput } from './session-output.ts'

/** Operators of one session at once. */
const MAX_OPERATORS = 32

/** Observers of one session at once, of all and of one principal: who only looks on keeps nobody else out. */
const MAX_OBSERVERS = 96
const MAX_OBSERVERS_OF_ONE = 64

/** What the participants of a session need of it. */
export interface ParticipantsHost {
  readonly output: SessionOutput
  readonly size: TerminalSize
  /** Whether there is something to type in; where not, who only attaches does not take over. */
  readonly hasShell: boolean
  /** Throws for who could type nothing, although nobody else does. */
  assertMayType(who: Participant): void
  /** Takes input of the holder of the lease. Resolves when more may be read; rejects with why it was not taken. */
  input(who: Participant, data: Uint8Array): Promise<void>
  /** Somebody else has the lease, or nobody. */
  leaseChanged(lease: Lease | null): void
  /** The terminal of the holder has this size. */
  resize(size: TerminalSize): void
  /** An operator is less far behind. */
  moved(): void
}

/** All who are attached to a session, and which of them may type. */
export class Participants implements OperatorHost, ObserverHost, Disposable {
  readonly lease: InputLease
  readonly #host: ParticipantsHost
  readonly #operators = new Map<string, Operator>()
  readonly #observers = new Map<string, Observer>()
  #holder: Lease | null = null
  #gone: PromiseWithResolvers<void> | undefined

  constructor(host: ParticipantsHost) {
    this.#host = host
    this.lease = new InputLease(() => this.#leaseChanged())
  }

  get output(): SessionOutput {
    return this.#host.output
  }

  get operators(): number {
    return this.#operators.size
  }

  get observers(): number {
    return this.#observers.size
  }

  /** How far the slowest operator that is there is behind, in bytes. */
  get behind(): number {
    let behind = 0
    for (const operator of this.#operators.values()) behind = Math.max(behind, operator.behind)
    return behind
  }

  /** The longest time in milliseconds for which a lost operator may come back. */
  get orphanedForMs(): number {
    return Math.max(0, ...[...this.#operators.values()].map(({ orphanedForMs = 0 }) => orphanedForMs))
  }

  /** Whether somebody is attached with this id. */
  has(participantId: string): boolean {
    return this.#operators.has(participantId) || this.#observers.has(participantId)
  }

  /** Serves an operator until its channel is over. One that was lost goes on where it was. */
  async attach(channel: Channel, who: Participant, params: SessionAttachParams): Promise<void> {
    const known = this.#operators.get(who.participantId)
    if (known !== undefined && known.who.principalId !== who.principalId) throw usedElsewhere()
    const operator = known ?? this.#addOperator(who)
    operator.size = params.size
    const refusal = this.#takeLease(who, params.lease)
    // It may have changed while its connection was lost.
    if (operator.size !== undefined && this.lease.isHeldBy(who)) this.#host.resize(operator.size)
    await operator.attach(channel, params, { resumed: known !== undefined, refusal })
  }

  /** Serves an observer until its channel is over. */
  async observe(channel: Channel, who: Participant, params: SessionObserveParams): Promise<void> {
    const known = this.#observers.get(who.participantId)
    if (known !== undefined && known.who.principalId !== who.principalId) throw usedElsewhere()
    if (known === undefined) this.#assertRoomToObserve(who)
    const observer = new Observer(this, who, channel)
    this.#observers.set(who.participantId, observer)
    known?.replace()
    await observer.serve(params)
  }

  /** Tells everybody. */
  tell(notice: SessionNotice): void {
    for (const operator of this.#operators.values()) operator.say(notice)
    for (const observer of this.#observers.values()) observer.say(notice)
  }

  attached(participant: Operator | Observer): Omit<SessionAttached, 'resumed' | 'offset'> {
    const isOperator = participant instanceof Operator
    return {
      type: 'attached',
      participantId: participant.who.participantId,
      mode: isOperator ? 'operator' : 'observer',
      inputOffset: isOperator ? participant.inputBytes : 0,
      size: this.#host.size,
      lease: this.lease.holder,
    }
  }

  async input(operator: Operator, data: Uint8Array): Promise<void> {
    const { who } = operator
    try {
      this.#host.assertMayType(who)
      if (!this.#takeFree(who)) throw notYours(who, this.lease.holder)
      this.lease.touch()
      await this.#host.input(who, data)
    } catch (error) {
      operator.refuse(error, data.length)
    }
  }

  request(operator: Operator, request: SessionRequest): void {
    try {
      this.#fulfil(operator, request)
    } catch (error) {
      operator.refuse(error, 0)
    }
  }

  moved(): void {
    this.#host.moved()
  }

  left(participant: Operator | Observer): void {
    const { who } = participant
    const all: Map<string, Operator | Observer> = participant instanceof Operator ? this.#operators : this.#observers
    if (all.get(who.participantId) !== participant) return
    all.delete(who.participantId)
    if (participant instanceof Operator) this.lease.release(who)
    this.#host.moved()
    if (this.#operators.size + this.#observers.size === 0) this.#gone?.resolve()
  }

  /** Resolves when nobody is attached. */
  async gone(): Promise<void> {
    if (this.#operators.size + this.#observers.size === 0) return
    this.#gone ??= Promise.withResolvers()
    await this.#gone.promise
  }

  /** The session is over: nobody is waited for, and nobody comes back. */
  [Symbol.dispose](): void {
    for (const operator of this.#operators.values())
      if (operator.forget()) this.#operators.delete(operator.who.participantId)
    this.lease[Symbol.dispose]()
  }

  #addOperator(who: Participant): Operator {
    if (this.#operators.size >= MAX_OPERATORS) throw full(`${MAX_OPERATORS} operators`)
    const operator = new Operator(this, who)
    this.#operators.set(who.participantId, operator)
    return operator
  }

  #assertRoomToObserve({ principalId }: Participant): void {
    if (this.#observers.size >= MAX_OBSERVERS) throw full(`${MAX_OBSERVERS} observers`)
    const own = [...this.#observers.values()].filter(({ who }) => who.principalId === principalId)
    if (own.length >= MAX_OBSERVERS_OF_ONE) throw full(`${MAX_OBSERVERS_OF_ONE} observers of yours`)
  }

  /** The operator that has the lease; undefined where a command has it. */
  #operatorOf(holder: Lease | null): Operator | undefined {
    const operator = holder === null ? undefined : this.#operators.get(holder.participantId)
    return holder !== null && operator !== undefined && isSame(operator.who, holder) ? operator : undefined
  }

  #takeLease(who: Participant, wish: SessionAttachParams['lease']): CmdopError | undefined {
    try {
      if (wish === 'auto' && this.#host.hasShell) this.#takeFree(who)
      else if (wish === 'take') this.lease.take(who)
      return undefined
    } catch (error) {
      if (isCmdopError(error)) return error
      throw error
    }
  }

  /** Nobody has it where its holder is one's own, and lost: a new client goes on for one that is gone. */
  #takeFree(who: Participant): boolean {
    const { holder } = this.lease
    const isLost = this.#operatorOf(holder)?.orphanedForMs !== undefined
    if (isLost && holder?.principalId === who.principalId) this.lease.take(who)
    return this.lease.takeFree(who)
  }

  #fulfil(operator: Operator, request: SessionRequest): void {
    const { who } = operator
    if (request.type === 'resize') {
      operator.size = request.size
      if (this.lease.isHeldBy(who)) this.#host.resize(request.size)
    } else if (request.type === 'lease-request') this.lease.request(who)
    else if (request.type === 'lease-take') this.lease.take(who)
    else if (request.type === 'lease-release') this.lease.release(who)
    else {
      const to = this.#operators.get(request.participantId)
      if (to === undefined) throw new CmdopError('not_found', 'This session has no such operator (any more).')
      this.lease.grant(who, to.who)
    }
  }

  #leaseChanged(): void {
    const { holder } = this.lease
    this.tell(this.lease.notice)
    const former = this.#holder
    if (holder === former || (holder !== null && former !== null && isSame(holder, former))) return
    this.#holder = holder
    const size = this.#operatorOf(holder)?.size
    if (size !== undefined) this.#host.resize(size)
    this.#host.leaseChanged(holder)
  }
}

function full(many: string): CmdopError {
  return new CmdopError('unavailable', `This session has ${many} already; try again later.`)
}

function usedElsewhere(): CmdopError {
  return new CmdopError('conflict', 'This call id is in use by somebody else; use a new one.')
}

function notYours(who: Participant, holder: Lease | null): CmdopError {
  const name = holder?.name ?? 'Somebody else'
  if (holder?.principalKind === 'human' && who.principalKind !== 'human')
    return new CmdopError('permission', `${name} has taken over this session; ask for the lease, or stop typing.`)
  return new CmdopError('conflict', `${name} is typing in this session; take the lease or ask for it.`)
}
