import type { ExecEnd, ExecParams } from '@cmdop/protocol'
import { shownCommand } from './shell/shown-command.ts'

/** Bytes of one command's output that are shown: who wants all of it has its recording. */
export const MAX_MIRRORED_BYTES = 1024 * 1024

const NEWLINE = 0x0a
const RETURN = 0x0d

/** A command that a session of kind `run` shows while it runs. It is never waited for. */
export class MirroredCommand {
  readonly #show: (data: Uint8Array) => void
  #bytes = 0
  #last = NEWLINE

  /** `show` takes what a terminal would get. */
  constructor(show: (data: Uint8Array) => void) {
    this.#show = show
  }

  begin(command: ExecParams['command']): void {
    const text = typeof command === 'string' ? command : command.map(quoteWord).join(' ')
    this.#show(Buffer.concat([Buffer.from('\x1b[1m$ '), shownCommand(text), Buffer.from('\x1b[m')]))
  }

  /** Of either stream, as it comes. */
  output(data: Uint8Array): void {
    const room = Math.max(0, MAX_MIRRORED_BYTES - this.#bytes)
    this.#bytes += data.length
    if (room > 0) this.#showLines(data.subarray(0, room))
  }

  end({ exitCode, signal, reason }: Pick<ExecEnd, 'exitCode' | 'signal' | 'reason'>): void {
    const left = this.#bytes - MAX_MIRRORED_BYTES
    const notes = [
      left > 0 ? `${left} bytes more are not shown` : '',
      reason === 'exited' ? '' : `ended: ${reason}`,
      exitCode === 0 || exitCode === null ? '' : `exit code ${exitCode}`,
      signal === null ? '' : `signal ${signal}`,
    ].filter((note) => note !== '')
    const newline = this.#last === NEWLINE ? '' : '\r\n'
    const said = notes.length === 0 ? '' : `\x1b[2m[${notes.join(', ')}]\x1b[m\r\n`
    // Whatever colours or modes the output left: the next command is to be read.
    this.#show(Buffer.from(`\x1b[m\x1b[?25h${newline}${said}`))
  }

  /** A terminal's own driver would put a return before each newline. */
  #showLines(data: Uint8Array): void {
    const parts: Uint8Array[] = []
    let from = 0
    for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, at + 1)) {
      if ((at === 0 ? this.#last : data[at - 1]) === RETURN) continue
      parts.push(data.subarray(from, at), RETURN_BYTE)
      from = at
    }
    parts.push(data.subarray(from))
    this.#last = data.at(-1) ?? this.#last
    this.#show(Buffer.concat(parts))
  }
}

const RETURN_BYTE = Uint8Array.of(RETURN)

function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
