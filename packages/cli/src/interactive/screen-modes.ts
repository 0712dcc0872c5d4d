/** Modes that programs set on a terminal, off again; the alternate screen is not among them. */
const MODES_OFF = [
  '\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l', // Mouse reports.
  '\x1b[?1004l\x1b[?2004l\x1b[?2026l', // Focus reports, bracketed paste, synchronised output.
  '\x1b[?1l\x1b>\x1b[4l\x1b[?6l\x1b[?7h', // Cursor keys, keypad, insert, origin, wrap.
  '\x1b7\x1b[r\x1b8', // The whole screen scrolls; where the cursor is stays.
  '\x0f\x1b(B\x1b[m\x1b[?25h', // Characters, colours, cursor.
].join('')

const ALTERNATE_SCREEN_OFF = '\x1b[?1049l'

/** Clears the screen for a snapshot, which is painted from a reset terminal. */
export const CLEAR_SCREEN = `${MODES_OFF}\x1b[H\x1b[2J`

/** Bytes of a sequence that may lie in the piece before. */
const SEQUENCE_BYTES = 8
const ESCAPE = 0x1b

/** Knows what is to be undone on the terminal of a person who leaves a session in the middle of a program. */
export class ScreenModes {
  /** Whether a full-screen program has the screen. */
  isAlternate = false
  #tail = ''

  /** Sees the output of the session as it is written. */
  see(data: Uint8Array): void {
    if (this.#tail === '' && !data.includes(ESCAPE)) return
    const text = this.#tail + Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1')
    // oxlint-disable-next-line no-control-regex -- this is the sequence
    for (const [, state] of text.matchAll(/\x1b\[\?(?:1049|1047|47)([hl])/g)) this.isAlternate = state === 'h'
    const end = text.slice(-SEQUENCE_BYTES)
    this.#tail = end.includes('\x1b') ? end : ''
  }

  /** What makes the terminal usable again. The alternate screen is left only where it was entered: it moves the cursor. */
  restore(): string {
    return `${MODES_OFF}${this.isAlternate ? ALTERNATE_SCREEN_OFF : ''}`
  }
}
