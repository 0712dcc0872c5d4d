import headless from '@xterm/headless'
import { paintScreen } from './paint-screen.ts'
import { readInternals, repairEraseAbove, writeNow } from './terminal-internals.ts'
import { Unfinished } from './unfinished.ts'

/** Lines above the screen that are painted, too. */
export const HISTORY_LINES = 1000

/** A terminal's size in character cells. */
interface Size {
  readonly columns: number
  readonly rows: number
}

export interface Painted extends Size {
  /** Escape sequences that paint the screen on a terminal of this size that was reset. */
  readonly paint: Uint8Array
}

/** A terminal as ours is: it says nothing on the console. */
export function createTerminal({ columns, rows }: Size): headless.Terminal {
  const options = { scrollback: HISTORY_LINES, allowProposedApi: true, logLevel: 'off' } as const
  const terminal = new headless.Terminal({ cols: columns, rows, ...options })
  repairEraseAbove(terminal)
  return terminal
}

/** A terminal without a window: what the output of a session looks like. */
export class Emulator implements Disposable {
  #terminal: headless.Terminal
  #unfinished = new Unfinished()

  constructor(size: Size) {
    this.#terminal = createTerminal(size)
  }

  /** Puts output on the screen. What the terminal fails over leaves an empty one. */
  write(data: Uint8Array): void {
    this.#unfinished.write(data)
    try {
      writeNow(this.#terminal, data)
    } catch {
      const { cols: columns, rows } = this.#terminal
      this.#terminal = createTerminal({ columns, rows })
      this.#unfinished = new Unfinished()
    }
  }

  resize({ columns, rows }: Size): void {
    this.#terminal.resize(columns, rows)
  }

  /** What is on the screen, and with history what is above it. */
  paint(history: boolean): Painted {
    const { cols: columns, rows } = this.#terminal
    const screen = Buffer.from(paintScreen(this.#terminal, history ? HISTORY_LINES : 0))
    const unfinished = this.#unfinished.read(!readInternals(this.#terminal).isGround)
    return { columns, rows, paint: Buffer.concat([screen, unfinished]) }
  }

  [Symbol.dispose](): void {
    this.#terminal.dispose()
  }
}
