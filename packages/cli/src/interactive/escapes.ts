/** What a person can tell `cmdop` itself, typed after a tilde at the beginning of a line. */
export const escapeCommands = {
  '.': 'leave',
  t: 'take',
  r: 'request',
  g: 'grant',
  '?': 'help',
} as const
export type EscapeCommand = (typeof escapeCommands)[keyof typeof escapeCommands]

/** What was typed, in order. */
export type Typed = { readonly input: Uint8Array } | { readonly command: EscapeCommand }

const TILDE = 0x7e

/** Takes the escapes out of what is typed; they may come in pieces. `~~` is one tilde. */
export class EscapeReader {
  #isAtLineStart = true
  #isAfterTilde = false

  read(data: Uint8Array): Typed[] {
    const typed: Typed[] = []
    let input: number[] = []
    for (const byte of data) {
      const command = this.#isAfterTilde ? commandOf(byte) : undefined
      if (command !== undefined) {
        if (input.length > 0) typed.push({ input: Uint8Array.from(input) })
        typed.push({ command })
        input = []
        this.#isAtLineStart = true
        this.#isAfterTilde = false
      } else input.push(...this.#pass(byte))
    }
    if (input.length > 0) typed.push({ input: Uint8Array.from(input) })
    return typed
  }

  /** The bytes to send for one that is no command: none for a tilde that may begin one. */
  #pass(byte: number): number[] {
    if (this.#isAtLineStart && !this.#isAfterTilde && byte === TILDE) {
      this.#isAfterTilde = true
      return []
    }
    const isHeld = this.#isAfterTilde && byte !== TILDE
    this.#isAfterTilde = false
    this.#isAtLineStart = byte === 0x0d || byte === 0x0a
    return isHeld ? [TILDE, byte] : [byte]
  }
}

function commandOf(byte: number): EscapeCommand | undefined {
  const key = String.fromCharCode(byte)
  return Object.hasOwn(escapeCommands, key) ? escapeCommands[key as keyof typeof escapeCommands] : undefined
}
