/* oxlint-disable no-underscore-dangle -- these are xterm's own names */
import type headless from '@xterm/headless'

/** Attributes of a character or of what comes next; of the public type and of the internal one. */
export type Attributes = Pick<
  headless.IBufferCell,
  | 'isBold'
  | 'isDim'
  | 'isItalic'
  | 'isUnderline'
  | 'isBlink'
  | 'isInverse'
  | 'isInvisible'
  | 'isStrikethrough'
  | 'isOverline'
  | 'isFgRGB'
  | 'isFgPalette'
  | 'getFgColor'
  | 'isBgRGB'
  | 'isBgPalette'
  | 'getBgColor'
> & {
  /** Colours and flags in numbers: two that have the same look the same, but for the underline. */
  readonly fg: number
  readonly bg: number
  /** Whether there is more to its underline than that there is one. */
  hasExtendedAttrs(): number
  getUnderlineStyle(): number
  isUnderlineColorRGB(): boolean
  isUnderlineColorPalette(): boolean
  isUnderlineColorDefault(): boolean
  getUnderlineColor(): number
}

/** A translation of characters, as ISO 2022 designates them; undefined for ASCII. */
type Charset = Readonly<Record<string, string>> | undefined

/** One of the two buffers. Rows count from the top of its history. */
export interface InternalBuffer {
  readonly ybase: number
  readonly savedX: number
  readonly savedY: number
  readonly savedCurAttrData: Attributes
  readonly savedCharset: Charset
  readonly scrollTop: number
  readonly scrollBottom: number
  readonly tabs: Readonly<Record<string, boolean>>
}

/** What a terminal does not say by its public interface, and what a snapshot needs. Held to xterm 6.0.0 by `emulator.test.ts`. */
export interface Internals {
  readonly buffers: { readonly normal: InternalBuffer; readonly alt: InternalBuffer }
  readonly attributes: Attributes
  readonly isCursorHidden: boolean
  /** A DECSCUSR style. */
  readonly cursorStyle: 'block' | 'underline' | 'bar' | undefined
  readonly cursorBlinks: boolean
  /** `DEFAULT`, `SGR`, `SGR_PIXELS`. */
  readonly mouseEncoding: string
  /** Which of G0 to G3 is in use, and what they are. */
  readonly charsetLevel: number
  readonly charsets: readonly Charset[]
  /** The parser is not within a sequence. */
  readonly isGround: boolean
  /** What was last done is to print: a combining character joins it. */
  readonly joinsNext: boolean
}

interface Core {
  readonly _core: {
    writeSync(data: Uint8Array): void
    readonly _bufferService: { readonly buffers: { readonly normal: InternalBuffer; readonly alt: InternalBuffer } }
    readonly _inputHandler: {
      readonly _curAttrData: Attributes
      /** Erases cells of a row of the screen; where protected ones stay, only the others. */
      _eraseInBufferLine(row: number, first: number, end: number, clearWrap: boolean, respectProtect: boolean): void
      _resetBufferLine(row: number, respectProtect: boolean): void
      readonly _parser: { readonly currentState: number; readonly precedingJoinState: number }
    }
    readonly coreService: {
      readonly isCursorHidden: boolean
      readonly decPrivateModes: {
        readonly cursorStyle: Internals['cursorStyle']
        readonly cursorBlink: boolean | undefined
      }
    }
    readonly coreMouseService: { readonly activeEncoding: string }
    readonly _charsetService: {
      readonly glevel: number
      readonly charset: Charset
      readonly _charsets: readonly Charset[]
    }
  }
}

/**
 * Puts output on the screen at once. `write` of the public interface does it later, where a fault of the terminal is nobody's
 * to catch: there is output that makes it throw.
 */
export function writeNow(terminal: headless.Terminal, data: Uint8Array): void {
  const core = (terminal as unknown as Core)._core
  core.writeSync(data)
}

/**
 * Erases all up to the cursor in the last column, over which xterm 6.0.0 throws where there is no row after the cursor's:
 * `CSI 1 J`, a common sequence.
 */
export function repairEraseAbove(terminal: headless.Terminal): void {
  const { _inputHandler: handler } = (terminal as unknown as Core)._core
  for (const prefix of ['', '?']) {
    terminal.parser.registerCsiHandler({ ...(prefix === '' ? {} : { prefix }), final: 'J' }, ([what]) => {
      const { cursorX, cursorY } = terminal.buffer.active
      if (what !== 1 || cursorX < terminal.cols - 1) return false
      handler._eraseInBufferLine(cursorY, 0, terminal.cols, true, prefix === '?')
      for (let row = 0; row < cursorY; row += 1) handler._resetBufferLine(row, prefix === '?')
      return true
    })
  }
}

/** Reads them as they are now. */
export function readInternals(terminal: headless.Terminal): Internals {
  const core = (terminal as unknown as Core)._core
  const { decPrivateModes, isCursorHidden } = core.coreService
  const parser = core._inputHandler._parser
  const { glevel, charset, _charsets } = core._charsetService
  return {
    buffers: core._bufferService.buffers,
    attributes: core._inputHandler._curAttrData,
    isCursorHidden,
    cursorStyle: decPrivateModes.cursorStyle,
    cursorBlinks: decPrivateModes.cursorBlink === true,
    mouseEncoding: core.coreMouseService.activeEncoding,
    charsetLevel: glevel,
    // What is in use may be another one than what was designated: a cursor was restored.
    charsets: [0, 1, 2, 3].map((level) => (level === glevel ? charset : _charsets[level])),
    isGround: parser.currentState === 0,
    joinsNext: parser.precedingJoinState !== 0,
  }
}

/** Whether it draws lines, as DEC's special graphics do. */
export function isLineDrawing(charset: Charset): boolean {
  return charset?.['q'] === '─'
}
