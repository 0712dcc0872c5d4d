import { spawnSync } from 'node:child_process'
import type { TerminalSize } from '@cmdop/core'
import { printable, writeStderr, writeStdout } from '../terminal.ts'
import { CLEAR_SCREEN, ScreenModes } from './screen-modes.ts'

/** The terminal that `cmdop` runs in, or the pipes it has instead. */
export interface LocalTerminal extends AsyncDisposable {
  /** Whether a person types: then escapes are read. */
  readonly isInteractive: boolean
  readonly input: AsyncIterable<Uint8Array>
  onResize(resized: (size: TerminalSize) => void): void
  show(data: Uint8Array): Promise<void>
  /** Paints a screen over what is there. */
  paint(data: Uint8Array): Promise<void>
  /** A line of `cmdop` itself. */
  tell(line: string): Promise<void>
}

/** Takes the terminal over: every key goes to the session, until this is disposed, which restores the terminal always. */
export function openLocalTerminal(): LocalTerminal {
  const { stdin, stdout } = process
  const isInteractive = stdin.isTTY
  const modes = new ScreenModes()
  const restore = () => {
    if (stdin.isTTY) stdin.setRawMode(false)
  }
  if (isInteractive) makeRaw(stdin)
  // A second ^C, or a fault, exits without coming back here.
  process.once('exit', restore)
  const resizers: (() => void)[] = []
  return {
    isInteractive,
    input: stdin as AsyncIterable<Uint8Array>,
    onResize: (resized) => {
      const listener = () => resized(localSize() ?? { columns: 80, rows: 24 })
      resizers.push(listener)
      stdout.on('resize', listener)
    },
    show: (data) => {
      if (stdout.isTTY) modes.see(data)
      return writeStdout(data)
    },
    paint: async (data) => {
      if (stdout.isTTY) await writeStdout(`${modes.restore()}${CLEAR_SCREEN}`)
      modes.see(data)
      await writeStdout(data)
    },
    tell: (line) => {
      if (!isInteractive) return writeStderr(`cmdop: ${printable(line)}\n`)
      const text = `[cmdop] ${printable(line)}`
      return modes.isAlternate ? writeStdout(bottomLine(text)) : writeStderr(`\r\n${text}\r\n`)
    },
    [Symbol.asyncDispose]: async () => {
      for (const listener of resizers) stdout.off('resize', listener)
      if (stdout.isTTY) await writeStdout(modes.restore())
      restore()
      process.off('exit', restore)
    },
  }
}

/** Over the last line of a full-screen program, until that draws it anew. */
function bottomLine(text: string): string {
  const { columns, rows } = localSize() ?? { columns: 80, rows: 24 }
  return `\x1b7\x1b[${rows};1H\x1b[7m${text.slice(0, columns - 1)}\x1b[m\x1b[K\x1b8`
}

/** Node's raw mode still turns a line feed into two characters, which moves the cursor of full-screen programs. */
function makeRaw(stdin: NodeJS.ReadStream): void {
  stdin.setRawMode(true)
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
}

/** Size of the terminal that output goes to; undefined where there is none. */
export function localSize(): TerminalSize | undefined {
  const { isTTY, columns, rows } = process.stdout
  return isTTY && columns > 0 && rows > 0 ? { columns, rows } : undefined
}
