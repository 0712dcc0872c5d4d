import { createBackoff, isTransient } from '../reconnect.ts'
import { wait } from '../wait.ts'

/** Milliseconds after the last sign of progress in which a transfer comes back to its machine, before it gives up. */
const RESUME_WITHIN_MS = 60_000

/** Decides whether a transfer whose connection was lost goes on. One that never had a channel is not waited for. */
export class Resumption {
  readonly #signal: AbortSignal | undefined
  #backoff = createBackoff()
  #until: number | undefined

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
  }

  /** The machine took the call, or content moved. */
  progressed(): void {
    if (this.#until === undefined || this.#until < Date.now() + RESUME_WITHIN_MS / 2) this.#backoff = createBackoff()
    this.#until = Date.now() + RESUME_WITHIN_MS
  }

  /** Waits until another try is due. Throws the error where none is. */
  async after(error: unknown): Promise<void> {
    if (this.#until === undefined || !isTransient(error) || Date.now() > this.#until) throw error
    await wait(this.#backoff(), this.#signal)
  }
}
