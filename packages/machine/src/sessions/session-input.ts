import { CmdopError, MAX_WAITING_INPUT_BYTES } from '@cmdop/protocol'
import type { Pty } from './pty/pty.ts'

/** Bytes that may wait for the terminal while more is read from the network. */
const READ_ON_BELOW_BYTES = 64 * 1024

/** Milliseconds without progress after which a program does not read. */
const STALLED_AFTER_MS = 250

/**
 * Gives input to a terminal. A program that reads slowly slows who types; one that does not read at all is not waited for,
 * because a `^C` must not wait behind what was pasted before it.
 */
export class SessionInput {
  readonly #pty: Pty
  /** Bytes that waited when it was seen that nobody reads them. */
  #stalledAt = Number.POSITIVE_INFINITY

  constructor(pty: Pty) {
    this.#pty = pty
  }

  /** Resolves when more may be given. Throws `input_overflow` when too much waits; nothing of it is taken then. */
  write(data: Uint8Array): Promise<void> {
    this.#pty.interrupt(data)
    const waiting = this.#pty.waitingBytes
    if (waiting + data.length > MAX_WAITING_INPUT_BYTES) {
      throw new CmdopError(
        'input_overflow',
        `The program does not read its input: ${waiting} bytes wait for it. Interrupt it, or wait.`,
      )
    }
    if (waiting < this.#stalledAt) this.#stalledAt = Number.POSITIVE_INFINITY
    const written = this.#pty.write(data)
    const isFree = this.#pty.waitingBytes < READ_ON_BELOW_BYTES
    return isFree || Number.isFinite(this.#stalledAt) ? Promise.resolve() : this.#waitFor(written)
  }

  async #waitFor(written: Promise<void>): Promise<void> {
    for (;;) {
      const before = this.#pty.waitingBytes
      if ((await within(written, STALLED_AFTER_MS)) || this.#pty.waitingBytes < READ_ON_BELOW_BYTES) return
      if (this.#pty.waitingBytes < before) continue
      this.#stalledAt = before
      return
    }
  }
}

/** Whether it settled in time. */
async function within(settled: Promise<void>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), ms)
  const inTime = await Promise.race([settled.then(() => true), late.promise])
  clearTimeout(timer)
  return inTime
}
