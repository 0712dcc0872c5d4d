/**
 * A command as the people who watch see it after the prompt: its lines, and what is not to be seen as `^X` or `<U+009B>`. It ends the
 * line; the command's output comes after it.
 */
export function shownCommand(command: string): Buffer {
  // oxlint-disable-next-line no-control-regex -- these are the ones to replace
  const visible = command.replaceAll(/[\x01-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0)
    if (code > 0x7f) return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`
    return `^${String.fromCharCode(code === 0x7f ? 0x3f : code + 0x40)}`
  })
  return Buffer.from(`${visible.replace(/\n$/, '').replaceAll('\n', '\r\n')}\r\n`)
}

/** Modes of the terminal that a line editor sets and takes back: private modes, keypad, cursor keys, keyboard protocols. */
// oxlint-disable-next-line no-control-regex -- these are the sequences
const MODES = /\x1b(?:\[[?>=<][0-9;:]*[hlmu]|[=>])/g

/** Of what a line editor draws, only the modes it sets. */
export function onlyModes(drawn: Uint8Array): Buffer {
  const text = Buffer.from(drawn.buffer, drawn.byteOffset, drawn.length).toString('latin1')
  return Buffer.from((text.match(MODES) ?? []).join(''), 'latin1')
}

/** Takes back what a program in full screen may have left: mouse, paste and focus reports, keypad, colours, hidden cursor. */
const RESET =
  '\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[?7h\x1b[?25h\x1b[r\x1b(B\x1b[m'

/** What a terminal is sent after a program that was killed; `alternate` = it is in the alternate screen. */
export function resetModes(alternate: boolean): Buffer {
  // The cursor is put back, because setting the scroll region moves it.
  return Buffer.from(`${alternate ? '\x1b[?1049l' : ''}\x1b7${RESET}\x1b8\x1b[m\r\n`)
}

const ENTER = '\x1b[?1049h'
const LEAVE = '\x1b[?1049l'

/** Knows from the output whether a terminal is in the alternate screen. */
export class AlternateScreen {
  #active = false
  #tail = Buffer.alloc(0)

  get active(): boolean {
    return this.#active
  }

  see(data: Uint8Array): void {
    const input = Buffer.from(data.buffer, data.byteOffset, data.length)
    const joint = Buffer.concat([this.#tail, input.subarray(0, ENTER.length)])
    for (const bytes of [joint, input]) {
      const entered = bytes.lastIndexOf(ENTER, undefined, 'latin1')
      const left = bytes.lastIndexOf(LEAVE, undefined, 'latin1')
      if (entered !== left) this.#active = entered > left
    }
    this.#tail = Buffer.from(Buffer.concat([this.#tail, input.subarray(-ENTER.length)]).subarray(1 - ENTER.length))
  }
}
