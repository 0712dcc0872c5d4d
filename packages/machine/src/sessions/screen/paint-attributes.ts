import type { Attributes } from './terminal-internals.ts'

/** The escape sequence that sets exactly these attributes. */
export function paintAttributes(cell: Attributes): string {
  const codes: (number | string)[] = [0]
  if (cell.isBold() !== 0) codes.push(1)
  if (cell.isDim() !== 0) codes.push(2)
  if (cell.isItalic() !== 0) codes.push(3)
  if (cell.isUnderline() !== 0) codes.push(underlineCode(cell))
  if (cell.isBlink() !== 0) codes.push(5)
  if (cell.isInverse() !== 0) codes.push(7)
  if (cell.isInvisible() !== 0) codes.push(8)
  if (cell.isStrikethrough() !== 0) codes.push(9)
  if (cell.isOverline() !== 0) codes.push(53)
  if (cell.isFgRGB()) codes.push(rgb(38, cell.getFgColor()))
  else if (cell.isFgPalette()) codes.push(palette(30, cell.getFgColor()))
  codes.push(...backgroundCodes(cell))
  codes.push(...underlineColor(cell))
  return codes.length === 1 ? '\x1b[m' : `\x1b[${codes.join(';')}m`
}

/** The escape sequence that sets its background, and everything else plain. */
export function paintBackground(cell: Attributes): string {
  return `\x1b[${[0, ...backgroundCodes(cell)].join(';')}m`
}

function backgroundCodes(cell: Attributes): (number | string)[] {
  if (cell.isBgRGB()) return [rgb(48, cell.getBgColor())]
  return cell.isBgPalette() ? [palette(40, cell.getBgColor())] : []
}

function underlineCode(cell: Attributes): string {
  const style = cell.getUnderlineStyle()
  return style > 1 ? `4:${style}` : '4'
}

function underlineColor(cell: Attributes): string[] {
  // Without it, the answer would be the colour of the text.
  if (cell.hasExtendedAttrs() === 0 || cell.isUnderlineColorDefault()) return []
  const color = cell.getUnderlineColor()
  if (cell.isUnderlineColorRGB()) return [`58:2::${(color >> 16) & 255}:${(color >> 8) & 255}:${color & 255}`]
  return cell.isUnderlineColorPalette() ? [`58:5:${color}`] : []
}

function rgb(code: number, color: number): string {
  return `${code};2;${(color >> 16) & 255};${(color >> 8) & 255};${color & 255}`
}

/** `code` is of the first of the eight colours: their bright ones are 60 above, the others are counted. */
function palette(code: number, color: number): string | number {
  if (color >= 16) return `${code + 8};5;${color}`
  return color >= 8 ? code + 60 + color - 8 : code + color
}
