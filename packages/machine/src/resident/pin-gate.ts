import { randomBytes } from 'node:crypto'
import { type AskWireFrame, CmdopError, PIN_WITHIN_MS } from '@cmdop/protocol'
import type { PinLock } from './pin-lock.ts'

export interface PinGateOptions {
  readonly lock: PinLock
  /** Name of the machine. */
  readonly label: string
  readonly say: (frame: AskWireFrame) => Promise<void>
}

interface Challenge {
  readonly id: string
  readonly answered: PromiseWithResolvers<string>
}

/** Lets an ask begin once somebody has given the machine's PIN. */
export class PinGate {
  readonly #options: PinGateOptions
  #challenge: Challenge | undefined

  constructor(options: PinGateOptions) {
    this.#options = options
  }

  /**
   * Resolves when the PIN was right. One that was given with the ask has one try; otherwise each wrong one is told and
   * asked for again until the lock closes. Throws `pin_denied` or `pin_required_timeout`.
   */
  async pass(given: Promise<string> | undefined, signal: AbortSignal): Promise<void> {
    for (;;) {
      const challenge = { id: randomBytes(16).toString('hex'), answered: Promise.withResolvers<string>() }
      this.#challenge = challenge
      if (given === undefined)
        await this.#options.say({ type: 'pin_required', challenge_id: challenge.id, label: this.#options.label })
      const pin = await within(given ?? challenge.answered.promise, signal)
      this.#challenge = undefined
      const reason = await this.#options.lock.verify(pin)
      if (reason === undefined) return
      await this.#options.say({ type: 'pin_denied', challenge_id: challenge.id, reason })
      if (given !== undefined || reason !== 'wrong')
        throw new CmdopError('pin_denied', `The machine refused the PIN: ${reason}.`)
    }
  }

  /** Answers the challenge. Throws `not_found` when nothing asks for it (any more). */
  answer(challengeId: string, pin: string): void {
    if (this.#challenge?.id !== challengeId)
      throw new CmdopError('not_found', 'Nothing asks for a PIN with this challenge (any more).')
    this.#challenge.answered.resolve(pin)
  }
}

async function within(pin: Promise<string>, signal: AbortSignal): Promise<string> {
  const end = Promise.withResolvers<never>()
  const late = () => end.reject(new CmdopError('pin_required_timeout', 'The machine asked for its PIN and got none.'))
  const stop = () => end.reject(signal.reason)
  const timer = setTimeout(late, PIN_WITHIN_MS)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([pin, end.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}
