import { CmdopError, isCmdopError, toWireError } from '@cmdop/protocol'
import { isColourUnwanted } from './config.ts'

/** Whether stdout could not be written, which is how a reader that left shows. */
let isReaderGone = false

/** Calls back once when nobody reads stdout any more, as behind `| head`. */
export function onReaderGone(gone: () => void): void {
  process.stdout.on('error', () => {
    isReaderGone = true
    gone()
  })
  // Without a terminal there is nobody to tell.
  process.stderr.on('error', gone)
}

/** Writes all of it, and waits while the reader is slow. A reader that left ends the command quietly. */
export function writeStdout(data: string | Uint8Array): Promise<void> {
  return writeTo(process.stdout, data)
}

export function writeStderr(data: string | Uint8Array): Promise<void> {
  return writeTo(process.stderr, data)
}

/** Whether a person may look at stdout. */
export function isStdoutTerminal(): boolean {
  return process.stdout.isTTY
}

/** Whether a stream takes colours: a terminal does, unless `NO_COLOR` is set. */
export function hasColours(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && !isColourUnwanted()
}

/** The one JSON document of a command. */
export function writeJson(value: unknown): Promise<void> {
  return writeStdout(`${JSON.stringify(value, null, 2)}\n`)
}

/** A line for people, on stderr, so that stdout holds results only. */
export function say(line: string): Promise<void> {
  return writeStderr(`${printable(line)}\n`)
}

/** Rows as aligned columns. A row is one line, whatever a cell holds. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map((row) => row.map((cell) => printable(cell.replaceAll(/[\n\t]+/g, ' '))))
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return `${all.map(line).join('\n')}\n`
}

/** Says what went wrong: as the JSON document, or as lines on stderr. */
export async function reportError(error: unknown, json: boolean): Promise<CmdopError> {
  const known = isCmdopError(error)
    ? error
    : new CmdopError('server', `cmdop met a fault of its own: ${String(error)}`, { cause: error })
  // Who left does not want to hear that this ended the command.
  if (isReaderGone) return known
  if (json) await writeJson({ error: toWireError(known) })
  else await say(`cmdop: ${known.code}: ${known.message}`)
  return known
}

/** Control characters except tab and line feed, what has no width, and what turns the direction of text. */
const UNSEEN =
  // oxlint-disable-next-line no-control-regex -- these are the ones to replace
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** What others say may hold control sequences, and text that is not what it looks like: a terminal is not given them. */
export function printable(text: string): string {
  return text.replace(UNSEEN, '\u{fffd}')
}

function writeTo(stream: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => stream.write(data, () => resolve()))
}
