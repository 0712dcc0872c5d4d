import type { Participant } from '@cmdop/protocol'

/** Milliseconds in which what one participant types is one note. */
const COLLECT_MS = 2000

/** Notes who typed how much, and when. Never what: passwords are typed, too. */
export class Attribution implements Disposable {
  readonly #note: (text: string) => void
  #typist: Participant | undefined
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(note: (text: string) => void) {
    this.#note = note
  }

  typed(who: Participant, bytes: number): void {
    if (this.#typist?.participantId !== who.participantId) this.flush()
    this.#typist = who
    this.#bytes += bytes
    this.#timer ??= setTimeout(() => this.flush(), COLLECT_MS).unref()
  }

  /** Notes what was not. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#typist !== undefined) this.#note(`input: ${this.#bytes} bytes by ${nameOf(this.#typist)}`)
    this.#typist = undefined
    this.#bytes = 0
  }

  [Symbol.dispose](): void {
    this.flush()
  }
}

/** How a participant is named in a note. */
export function nameOf({ name, principalKind, principalId }: Participant): string {
  return `${name} (${principalKind} ${principalId})`
}
