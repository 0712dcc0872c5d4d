import { CmdopError } from '../errors.ts'
import { CONNECTION_WINDOW, INITIAL_WINDOW, MAX_CHANNELS, MAX_WINDOW, MIN_WINDOW } from './limits.ts'

/** Credit kept back so that every channel a connection may have gets {@link MIN_WINDOW}. */
const RESERVE = MAX_CHANNELS * MIN_WINDOW

/** What the channels of one connection may have granted together. */
export class ReceiveBudget {
  #left = CONNECTION_WINDOW - RESERVE

  /** Takes up to `wanted` bytes beyond the reserve; at most a quarter of what is left, so that all get some. */
  take(wanted: number): number {
    const taken = Math.min(wanted, Math.floor(this.#left / 4))
    this.#left -= taken
    return taken
  }

  give(bytes: number): void {
    this.#left += bytes
  }
}

/**
 * What the other side of a channel may still send to us. Credit returns as the content is consumed, and the window
 * doubles each time half of it was consumed, up to {@link MAX_WINDOW}, as far as the connection's budget goes.
 */
export class ReceiveWindow {
  readonly initial: number
  readonly #budget: ReceiveBudget
  #size: number
  #credit: number
  #consumed = 0
  #borrowed: number

  constructor(budget: ReceiveBudget) {
    this.#budget = budget
    this.#borrowed = budget.take(INITIAL_WINDOW - MIN_WINDOW)
    this.initial = MIN_WINDOW + this.#borrowed
    this.#size = this.initial
    this.#credit = this.initial
  }

  /** A data frame arrived. Throws `flow_control` when it is more than was granted. */
  arrived(cost: number): void {
    this.#credit -= cost
    if (this.#credit < 0)
      throw new CmdopError('flow_control', `The peer sent ${-this.#credit} bytes more than granted.`)
  }

  /** Content was consumed. Returns the credit to grant now, 0 while it is not worth a frame. */
  consumed(cost: number): number {
    this.#consumed += cost
    if (this.#consumed < this.#size / 2) return 0
    const growth = this.#budget.take(Math.min(this.#size, MAX_WINDOW - this.#size))
    this.#borrowed += growth
    this.#size += growth
    const granted = this.#consumed + growth
    this.#consumed = 0
    this.#credit += granted
    return granted
  }

  /** The channel is over: its credit goes back to the connection. Idempotent. */
  release(): void {
    this.#budget.give(this.#borrowed)
    this.#borrowed = 0
  }
}
