import type headless from '@xterm/headless'
import { paintAttributes } from '../paint-attributes.ts'
import { type Attributes, isLineDrawing, readInternals } from '../terminal-internals.ts'

/** All that can be seen of a terminal. */
export interface SeenTerminal {
  readonly lines: readonly string[]
  readonly looks: readonly string[]
  readonly cursor: readonly [x: number, y: number]
  readonly state: Readonly<Record<string, unknown>>
}

export function seeTerminal(terminal: headless.Terminal): SeenTerminal {
  const { active } = terminal.buffer
  const internals = readInternals(terminal)
  const buffer = active.type === 'alternate' ? internals.buffers.alt : internals.buffers.normal
  return {
    lines: rowsOf(active, (cell) => cell.getChars() || ' '),
    looks: rowsOf(active, (cell) => `${lookOf(cell)}|`),
    cursor: [active.cursorX, active.cursorY],
    state: {
      type: active.type,
      ...terminal.modes,
      // It is over within a moment, or the terminal ends it.
      synchronizedOutputMode: undefined,
      hidden: internals.isCursorHidden,
      style: internals.cursorStyle,
      encoding: internals.mouseEncoding,
      charsets: internals.charsets.map(isLineDrawing),
      level: internals.charsetLevel,
      margins: [buffer.scrollTop, buffer.scrollBottom],
      next: paintAttributes(internals.attributes),
    },
  }
}

function rowsOf(buffer: headless.IBuffer, show: (cell: headless.IBufferCell) => string): string[] {
  return Array.from({ length: buffer.length }, (_, row) => {
    const line = buffer.getLine(row)
    let shown = ''
    for (let column = 0; column < (line?.length ?? 0);) {
      const cell = line?.getCell(column)
      shown += cell === undefined ? '' : show(cell)
      // The second half of a wide character; one that stands alone is a cell like others.
      column += Math.max(1, cell?.getWidth() ?? 1)
    }
    return shown
  })
}

/** Of an empty cell only the background is seen, and of a space, unless there is a line through it. */
function lookOf(cell: headless.IBufferCell): string {
  const hasLine = cell.isUnderline() + cell.isStrikethrough() + cell.isOverline() + cell.isInverse() !== 0
  if (cell.getChars() === '' || (cell.getChars() === ' ' && !hasLine))
    return `${cell.getBgColorMode()}:${cell.getBgColor()}`
  return paintAttributes(cell as unknown as Attributes)
}
