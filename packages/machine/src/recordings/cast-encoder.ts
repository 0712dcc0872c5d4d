import { isUtf8 } from 'node:buffer'
import { recordingCodes, type RecordingOmission, type RecordingSubject, type TerminalSize } from '@cmdop/protocol'

import { JsonLines } from './json-lines.ts'

export type OutputStream = 'stdout' | 'stderr'

/** The first line of an asciicast v2 file: how it plays, and under `cmdop` who, where and why. */
export function castHeader(subject: RecordingSubject, options: { size: TerminalSize; shell?: string | null }): string {
  const { size, shell } = options
  return line({
    version: 2,
    width: size.columns,
    height: size.rows,
    timestamp: Math.floor(Date.parse(subject.startedAt) / 1000),
    title: subject.title,
    env: { TERM: 'xterm-256color', ...(typeof shell === 'string' ? { SHELL: shell } : {}) },
    cmdop: subject,
  })
}

/**
 * Encodes events as lines of an asciicast v2 file, from which the exact bytes can be restored: a character that is cut
 * waits for its rest, and what is no UTF-8 is followed by itself in base64. Times are milliseconds from the beginning.
 */
export class CastEncoder {
  readonly #addsReturns: boolean
  readonly #lines = new JsonLines()
  /** Undefined where a reader cannot know it. */
  #stream: OutputStream | undefined = 'stdout'
  /** The beginning of a character. */
  #cut: Uint8Array = EMPTY

  constructor(kind: RecordingSubject['kind']) {
    // A terminal's own output has its returns; that of pipes would run down like stairs.
    this.#addsReturns = kind === 'exec'
  }

  output(time: number, data: Uint8Array, stream: OutputStream = 'stdout'): void {
    if (stream !== this.#stream) {
      this.flush(time)
      this.event(time, 'stream', stream)
      this.#stream = stream
    }
    const bytes = this.#cut.length === 0 ? data : Buffer.concat([this.#cut, data])
    const whole = bytes.length - cutBytes(bytes)
    this.#cut = whole === bytes.length ? EMPTY : Uint8Array.from(bytes.subarray(whole))
    this.#bytes(time, bytes.subarray(0, whole))
  }

  /** What is left of a character that will not get its rest. */
  flush(time: number): void {
    const left = this.#cut
    this.#cut = EMPTY
    this.#bytes(time, left)
  }

  event(time: number, code: keyof typeof recordingCodes, text: string): void {
    this.#lines.raw(line([secondsOf(time), recordingCodes[code], text]))
  }

  /** Output that is not in the recording: players show a line of ours, which nobody put out. */
  omission(time: number, omission: RecordingOmission): void {
    const { bytes, whole } = omission
    const sum = whole === undefined ? '' : `, SHA-256 of the whole output ${whole.sha256}`
    this.flush(time)
    this.event(time, 'output', `\r\n[cmdop: ${bytes} bytes are not in this recording${sum}]\r\n`)
    this.event(time, 'exact', '')
    this.event(time, 'omitted', JSON.stringify(omission))
  }

  /** The lines so far, good until the next event: a flood of copies would keep the garbage collector busy. */
  take(): Buffer {
    return this.#lines.take()
  }

  /** What was taken last is not in the recording: what comes next stands by itself. */
  reset(): void {
    this.#cut = EMPTY
    this.#stream = undefined
  }

  #bytes(time: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const isText = isUtf8(bytes)
    this.#lines.raw(`[${secondsOf(time)},"${recordingCodes.output}","`)
    this.#lines.escaped(isText ? bytes : Buffer.from(decoder.decode(bytes)), this.#addsReturns)
    this.#lines.raw('"]\n')
    if (!isText) this.event(time, 'exact', Buffer.from(bytes).toString('base64'))
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

const EMPTY = new Uint8Array(0)

/** To a microsecond. */
function secondsOf(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1_000_000
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

/** How many bytes at the end are the beginning of a character that is not complete: 0 to 3. */
function cutBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte >= 0x80 && byte < 0xc0) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? back : 0
  }
  return 0
}
