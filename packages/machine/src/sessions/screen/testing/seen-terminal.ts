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
      charsets: [0, 1, 2, 3].map((level) => isLineDrawing(internals.charsets[level])),
      level: internals.charsetLevel,
      margins: [buffer.scrollTop, buffer.scrollBottom],
      next: paintAttributes(internals.attributes),
    },
  }
}

function rowsOf(buffer: headless.IBuffer, show: (cell: headless.IBufferCell) => string): string[] {
  const rows = Array.from({ length: buffer.length }, (_, row) => {
    const line = buffer.getLine(row)
    const cells = Array.from({ length: line?.length ?? 0 }, (__, column) => line?.getCell(column))
    return cells.map((cell) => (cell === undefined || cell.getWidth() === 0 ? '' : show(cell))).join('')
  })
  return rows
}

/** Of an empty cell only the background is seen. */
function lookOf(cell: headless.IBufferCell): string {
  if (cell.getChars() === '') return `${cell.getBgColorMode()}:${cell.getBgColor()}`
  return paintAttributes(cell as unknown as Attributes)
}
