import type headless from '@xterm/headless'
import { paintAttributes, paintBackground } from './paint-attributes.ts'
import type { Attributes } from './terminal-internals.ts'

const PLAIN = '\x1b[m'

/**
 * Paints rows of a buffer one below the other, from the cursor on, beginning and ending with plain attributes. The screen
 * scrolls where they are more than it has. A line that was wrapped wraps again, so that a resize treats it as one.
 */
export function paintRows(buffer: headless.IBuffer, first: number, end: number): string {
  const painter = new RowPainter(buffer)
  let painted = ''
  for (let row = first; row < end; row += 1) {
    if (row > first && !painter.wrapsInto(row)) painted += '\r\n'
    painted += painter.paint(row)
  }
  return painted
}

/** The character before the cursor, where it is and how it looks; undefined where there is none. */
export function characterBefore(
  buffer: headless.IBuffer,
  x: number,
): { column: number; painted: string; chars: string } | undefined {
  const line = buffer.getLine(buffer.baseY + buffer.cursorY)
  for (let column = Math.min(x, line?.length ?? 0) - 1; column >= Math.max(0, x - 2); column -= 1) {
    const cell = line?.getCell(column)
    if (cell === undefined || cell.getChars() === '') continue
    if (column + cell.getWidth() !== x) return undefined
    return { column, painted: paintAttributes(cell as Cell), chars: cell.getChars() }
  }
  return undefined
}

class RowPainter {
  readonly #buffer: headless.IBuffer
  /** Filled again for each cell, which saves an object each. */
  readonly #cell: headless.IBufferCell

  constructor(buffer: headless.IBuffer) {
    this.#buffer = buffer
    this.#cell = buffer.getNullCell()
  }

  /** Whether printing on at the end of the row before leads into this one, and leaves nothing behind. */
  wrapsInto(row: number): boolean {
    const line = this.#buffer.getLine(row)
    const before = this.#buffer.getLine(row - 1)
    if (line?.isWrapped !== true || before === undefined) return false
    const first = line.getCell(0)
    const last = before.getCell(before.length - 1)
    if (first === undefined || last === undefined || first.getChars() === '' || !first.isBgDefault()) return false
    // A wide character leaves the last column empty where only its half would fit.
    return last.getChars() !== '' || last.getWidth() === 0
  }

  paint(row: number): string {
    const line = this.#buffer.getLine(row)
    if (line === undefined) return ''
    let painted = ''
    /** Where the cursor is. */
    let at = 0
    const style = new Style()
    for (let column = 0; column < line.length;) {
      const cell = line.getCell(column, this.#cell) as Cell | undefined
      if (cell === undefined) break
      const isEmpty = cell.getChars() === ''
      const cells = isEmpty ? this.#emptyCells(line, column, cell.bg) : Math.max(1, cell.getWidth())
      if (!isEmpty || !cell.isBgDefault()) {
        if (at !== column) painted += `\x1b[${column - at}C`
        painted += isEmpty ? `${style.background(cell)}\x1b[${cells}X` : `${style.change(cell)}${cell.getChars()}`
        at = isEmpty ? column : column + cells
      }
      column += cells
    }
    return painted + style.end()
  }

  /** How many cells from here on are empty, with the same background. */
  #emptyCells(line: headless.IBufferLine, first: number, background: number): number {
    let column = first + 1
    for (; column < line.length; column += 1) {
      const cell = line.getCell(column, this.#cell) as Cell | undefined
      if (cell === undefined || cell.getChars() !== '' || cell.bg !== background) break
    }
    // The cell is read again by who called.
    line.getCell(first, this.#cell)
    return column - first
  }
}

type Cell = headless.IBufferCell & Attributes

/** The attributes that were set last in a row. */
class Style {
  #fg = 0
  #bg = 0
  #isPlain = true

  /** What sets those of this character. */
  change(cell: Cell): string {
    if (cell.fg === this.#fg && cell.bg === this.#bg && cell.hasExtendedAttrs() === 0) return ''
    this.#fg = cell.fg
    this.#bg = cell.bg
    this.#isPlain = false
    return paintAttributes(cell)
  }

  /** What sets the background of this empty cell, and nothing else. */
  background(cell: Cell): string {
    this.#fg = -1
    this.#isPlain = false
    return paintBackground(cell)
  }

  end(): string {
    return this.#isPlain ? '' : PLAIN
  }
}
