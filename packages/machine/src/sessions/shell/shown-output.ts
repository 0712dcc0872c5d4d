import { onlyModes } from './shown-command.ts'

/** Bytes that are held back at most; then they are shown after all. */
const MAX_HELD_BYTES = 64 * 1024

/** What a session shows of its terminal's output. Bytes given in are only lent until {@link ShownOutput.take}. */
export class ShownOutput {
  readonly #taken: () => number
  #pending = 0
  #shown: Uint8Array[] = []
  #held: Uint8Array[] | undefined
  #heldBytes = 0

  /** `taken`: bytes that the session has shown, from whatever source. */
  constructor(taken: () => number) {
    this.#taken = taken
  }

  /** Where in what the session shows the next byte will be. */
  get offset(): number {
    return this.#taken() + this.#pending
  }

  push(data: Uint8Array): void {
    if (this.#held === undefined) return this.#show(data)
    this.#heldBytes += data.length
    this.#held.push(Uint8Array.from(data))
    if (this.#heldBytes > MAX_HELD_BYTES) this.release('all')
  }

  /** Holds back what comes, until it is released. */
  hold(): void {
    this.#held ??= []
  }

  /** Shows what was held back, or only the modes of the terminal that it sets. */
  release(what: 'all' | 'modes'): void {
    const held = Buffer.concat(this.#held ?? [])
    this.#held = undefined
    this.#heldBytes = 0
    this.#show(what === 'all' ? held : onlyModes(held))
  }

  /** What is to be shown now. */
  take(): Uint8Array {
    const [first = new Uint8Array(), ...more] = this.#shown
    this.#shown = []
    this.#pending = 0
    return more.length === 0 ? first : Buffer.concat([first, ...more])
  }

  #show(data: Uint8Array): void {
    if (data.length === 0) return
    this.#pending += data.length
    this.#shown.push(data)
  }
}
