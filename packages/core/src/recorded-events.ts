import { CmdopError, recordingCodes, RecordingOmission, RecordingSubject } from '@cmdop/protocol'
import { z } from 'zod'
import { concat } from './channels.ts'

/** Something that a recording tells; `time` in seconds from its beginning. */
export type RecordedEvent =
  | {
      readonly type: 'output'
      readonly time: number
      /** What a terminal shows. */
      readonly text: string
      readonly stream: 'stdout' | 'stderr'
      /** The exact bytes that were put out; none where the text is a note of the recording's own. */
      readonly data: Uint8Array
    }
  | { readonly type: 'resize'; readonly time: number; readonly columns: number; readonly rows: number }
  | { readonly type: 'marker'; readonly time: number; readonly text: string }
  | ({ readonly type: 'omitted'; readonly time: number } & RecordingOmission)

/** The bytes that were put out, of one stream or of both in the order they came; less what the recording says is omitted. */
export function recordedBytes(events: Iterable<RecordedEvent>, stream?: 'stdout' | 'stderr'): Uint8Array {
  const parts: Uint8Array[] = []
  for (const event of events)
    if (event.type === 'output' && (stream === undefined || event.stream === stream)) parts.push(event.data)
  return concat(
    parts,
    parts.reduce((sum, part) => sum + part.length, 0),
  )
}

const Header = z.object({ version: z.literal(2), cmdop: RecordingSubject.pick({ kind: true }).optional() })
const Line = z.tuple([z.number(), z.string(), z.string()])

/** The events of an asciicast v2 file. A last line that is not whole yet is passed over. Throws `integrity`. */
export async function* readEvents(content: AsyncIterable<Uint8Array>): AsyncGenerator<RecordedEvent> {
  const reader = new EventReader()
  for await (const line of linesOf(content)) yield* reader.read(line)
  yield* reader.end()
}

/** Output waits for the line after it, which may say what its exact bytes are. */
class EventReader {
  #kind: RecordingSubject['kind'] | undefined
  #hasHeader = false
  #stream: 'stdout' | 'stderr' = 'stdout'
  #waiting: { readonly time: number; readonly text: string } | undefined;

  *read(line: string): Generator<RecordedEvent> {
    if (this.#hasHeader) yield* this.#readEvent(line)
    else this.#readHeader(line)
  }

  *#readEvent(line: string): Generator<RecordedEvent> {
    const parsed = Line.safeParse(parseJson(line))
    if (!parsed.success) throw notARecording()
    const [time, code, text] = parsed.data
    yield* this.end(code === recordingCodes.exact ? fromBase64(text) : undefined)
    if (code === recordingCodes.output) this.#waiting = { time, text }
    else if (code === recordingCodes.stream) this.#stream = text === 'stderr' ? 'stderr' : 'stdout'
    else yield* readEvent(time, code, text)
  }

  /** The output that waits, if any: exactly these bytes, or those of its text. */
  *end(data?: Uint8Array): Generator<RecordedEvent> {
    if (this.#waiting === undefined) return
    const { time, text } = this.#waiting
    this.#waiting = undefined
    yield { type: 'output', time, text, stream: this.#stream, data: data ?? this.#bytesOf(text) }
  }

  /** Less the returns that the recording of a command has for its line feeds. */
  #bytesOf(text: string): Uint8Array {
    return new TextEncoder().encode(this.#kind === 'exec' ? text.replaceAll('\r\n', '\n') : text)
  }

  #readHeader(line: string): void {
    const header = Header.safeParse(parseJson(line))
    if (!header.success) throw notARecording()
    this.#hasHeader = true
    this.#kind = header.data.cmdop?.kind
  }
}

function* readEvent(time: number, code: string, text: string): Generator<RecordedEvent> {
  if (code === recordingCodes.marker) yield { type: 'marker', time, text }
  if (code === recordingCodes.resize) {
    const [columns = 0, rows = 0] = text.split('x').map(Number)
    yield { type: 'resize', time, columns, rows }
  }
  if (code === recordingCodes.omitted) {
    const omission = RecordingOmission.safeParse(parseJson(text))
    if (!omission.success) throw notARecording()
    yield { type: 'omitted', time, ...omission.data }
  }
}

async function* linesOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const data of content) {
    const lines = (rest + decoder.decode(data, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.codePointAt(0) ?? 0)
  } catch {
    throw notARecording()
  }
}

function notARecording(): CmdopError {
  return new CmdopError('integrity', 'The content is no asciicast v2 file, or is damaged.')
}
