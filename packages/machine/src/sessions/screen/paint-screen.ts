import type headless from '@xterm/headless'
import { paintAttributes, paintBackground } from './paint-attributes.ts'
import { characterBefore, paintRows } from './paint-rows.ts'
import {
  type Attributes,
  type InternalBuffer,
  type Internals,
  isLineDrawing,
  readInternals,
} from './terminal-internals.ts'

const TAB_WIDTH = 8
const PLAIN = '\x1b[m'

/**
 * Escape sequences that make a terminal of the same size, which was reset, show and do from here on what this one does:
 * history and screen, both buffers, cursor, attributes, modes, margins, tab stops, character sets. Not the title, the
 * colours of the palette, and links. (The serialize addon of xterm forgets some of that, and the colours of the alternate
 * buffer.)
 */
export function paintScreen(terminal: headless.Terminal, historyLines: number): string {
  const internals = readInternals(terminal)
  const { normal, alternate, active } = terminal.buffer
  const { rows, cols } = terminal
  const isAlternate = active.type === 'alternate'
  const first = Math.max(0, normal.length - rows - historyLines)
  const parts = [
    paintRows(normal, first, normal.length),
    paintTabs(internals.buffers.normal, cols),
    paintMargins(internals.buffers.normal, rows),
    paintSavedCursor(internals.buffers.normal, rows),
  ]
  // To enter the alternate buffer saves the cursor of the other one, too, and clears the new one.
  if (!isAlternate) parts.push('\x1b7\x1b(B', PLAIN)
  else {
    const { alt } = internals.buffers
    // With the background that is set, which the cursor was saved with.
    parts.push('\x1b[?1049h\x1b(B\x1b[r', PLAIN, '\x1b[2J\x1b[H', paintRows(alternate, 0, alternate.length))
    parts.push(paintTabs(alt, cols), paintMargins(alt, rows), paintSavedCursor(alt, rows), '\x1b7\x1b(B', PLAIN)
  }
  parts.push(paintModes(terminal, internals))
  const buffer = isAlternate ? internals.buffers.alt : internals.buffers.normal
  const cursor = paintCursor(terminal, internals, buffer)
  const printing = [paintCharsets(internals), terminal.modes.insertMode ? '\x1b[4h' : '']
  // A character that is printed again is printed as it was, unless more is to join it: then nothing may come after it.
  parts.push(...(internals.joinsNext ? [...printing, cursor] : [cursor, ...printing]))
  return parts.join('')
}

/** Puts the cursor where it was saved, with its attributes. */
function paintSavedCursor({ savedX, savedY, ybase, ...saved }: InternalBuffer, rows: number): string {
  const row = Math.min(Math.max(savedY - ybase, 0), rows - 1)
  const charset = isLineDrawing(saved.savedCharset) ? '\x1b(0' : ''
  return `\x1b[${row + 1};${savedX + 1}H${paintAttributes(saved.savedCurAttrData)}${charset}`
}

function paintTabs({ tabs }: InternalBuffer, columns: number): string {
  const all = Array.from({ length: columns }, (_, column) => column)
  if (all.every((column) => (tabs[column] === true) === (column % TAB_WIDTH === 0))) return ''
  return `\x1b[3g${all.map((column) => (tabs[column] === true ? `\x1b[${column + 1}G\x1bH` : '')).join('')}`
}

function paintMargins({ scrollTop, scrollBottom }: InternalBuffer, rows: number): string {
  return scrollTop === 0 && scrollBottom === rows - 1 ? '' : `\x1b[${scrollTop + 1};${scrollBottom + 1}r`
}

function paintModes({ modes }: headless.Terminal, internals: Internals): string {
  const set = [
    modes.applicationCursorKeysMode && '1',
    modes.originMode && '6',
    modes.reverseWraparoundMode && '45',
    modes.mouseTrackingMode === 'x10' && '9',
    modes.mouseTrackingMode === 'vt200' && '1000',
    modes.mouseTrackingMode === 'drag' && '1002',
    modes.mouseTrackingMode === 'any' && '1003',
    modes.sendFocusMode && '1004',
    internals.mouseEncoding === 'SGR' && '1006',
    internals.mouseEncoding === 'SGR_PIXELS' && '1016',
    modes.bracketedPasteMode && '2004',
  ].filter((mode) => mode !== false)
  const reset = [!modes.wraparoundMode && '7', internals.isCursorHidden && '25'].filter((mode) => mode !== false)
  return [
    ...set.map((mode) => `\x1b[?${mode}h`),
    ...reset.map((mode) => `\x1b[?${mode}l`),
    modes.applicationKeypadMode ? '\x1b=' : '',
    paintCursorStyle(internals),
  ].join('')
}

/** DECSCUSR: 1 is a blinking block, 2 a steady one, and so on in pairs. */
function paintCursorStyle({ cursorStyle, cursorBlinks }: Internals): string {
  if (cursorStyle === undefined) return ''
  return `\x1b[${{ block: 2, underline: 4, bar: 6 }[cursorStyle] - (cursorBlinks ? 1 : 0)} q`
}

/**
 * Puts the cursor in place, with the attributes of what comes next. After the last column, and where a combining character
 * may follow, the character before it is printed again: only that leaves the cursor in such a state.
 */
function paintCursor(terminal: headless.Terminal, internals: Internals, { scrollTop }: InternalBuffer): string {
  const { active } = terminal.buffer
  const { cursorX, cursorY } = active
  const row = cursorY - (terminal.modes.originMode ? scrollTop : 0) + 1
  const attributes = paintAttributes(internals.attributes)
  const isAfterLast = cursorX >= terminal.cols
  const before = isAfterLast || internals.joinsNext ? characterBefore(active, cursorX) : undefined
  if (before === undefined) {
    const place = `\x1b[${row};${Math.min(cursorX, terminal.cols - 1) + 1}H`
    return isAfterLast ? `${place}${paintLastBlank(active)}${attributes}` : `${place}${attributes}`
  }
  // In insert mode it would be there twice.
  const room = internals.joinsNext && terminal.modes.insertMode ? `\x1b[${cursorX - before.column}P` : ''
  const place = `\x1b[${row};${before.column + 1}H${before.painted}${room}${before.chars}`
  return before.painted === attributes ? place : place + attributes
}

/** A cell that was erased after it was printed: a space, which looks the same. */
function paintLastBlank(buffer: headless.IBuffer): string {
  const line = buffer.getLine(buffer.baseY + buffer.cursorY)
  const cell = line?.getCell(line.length - 1)
  return cell === undefined ? '' : `${paintBackground(cell as headless.IBufferCell & Attributes)} `
}

function paintCharsets({ charsets, charsetLevel }: Internals): string {
  const designated = ['(', ')', '*', '+'].map((name, level) => (isLineDrawing(charsets[level]) ? `\x1b${name}0` : ''))
  return designated.join('') + (['', '\x0e', '\x1bn', '\x1bo'][charsetLevel] ?? '')
}
