import { CmdopError } from '../errors.ts'
import { dataCost } from './frame.ts'
import { MAX_CONTROL_BYTES, MAX_DATA_BYTES, MAX_WINDOW } from './limits.ts'

/**
 * A writer does not cut its content into pieces smaller than this to use up the last of its credit. So what is not
 * larger is never cut.
 */
const MIN_PIECE_BYTES = MAX_CONTROL_BYTES

/** Credit that content leaves, so that a few small control messages pass it when nobody reads: four of 128. */
export const CONTROL_RESERVE = 512

/** What one side of a channel may still send. */
export class SendWindow {
  #credit: number
  #waiting: (() => void)[] = []

  constructor(credit: number) {
    this.#credit = credit
  }

  get credit(): number {
    return this.#credit
  }

  /** The other side grants more. Throws `flow_control` beyond what a channel may have outstanding. */
  grant(bytes: number): void {
    if (this.#credit + bytes > MAX_WINDOW) {
      throw new CmdopError('flow_control', `Expected at most ${MAX_WINDOW} bytes of credit on a channel.`)
    }
    this.#credit += bytes
    this.wake()
  }

  /** How many of `wanted` bytes of content may go in one data frame now; 0 = wait. The lane byte is accounted for. */
  fits(wanted: number): number {
    const credit = this.#credit - CONTROL_RESERVE
    const piece = Math.min(wanted, MAX_DATA_BYTES)
    if (dataCost(piece + 1) <= credit) return piece
    const room = credit - dataCost(0) - 1
    return room >= MIN_PIECE_BYTES ? Math.min(piece, room) : 0
  }

  /** Whether a control message may go now, out of what content leaves. */
  fitsControl(bytes: number): boolean {
    return dataCost(bytes + 1) <= this.#credit
  }

  /** Takes the credit for a data frame with this payload. */
  spend(payloadBytes: number): void {
    this.#credit -= dataCost(payloadBytes)
  }

  /** Resolves at the next grant, or when the channel ends. */
  granted(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Lets all waiting writers look again. */
  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
