import { stripVTControlCharacters } from 'node:util'

/** Output in the form a model can read. */
export interface BoundedText {
  readonly text: string
  /** Whether anything was left out. */
  readonly truncated: boolean
  readonly shownBytes: number
  /** Bytes before what is left out. */
  readonly headBytes: number
  /** False: binary data, which is only named. */
  readonly isText: boolean
}

/**
 * Bytes as text of at most `limit` bytes: head and tail in equal parts with a line between them that says how much is
 * left out. An invalid byte becomes U+FFFD, terminal colours go, and binary data is named instead of shown.
 * `total` is the full length where `data` is already a head joined to a tail of equal size.
 */
export function boundedText(data: Uint8Array, total: number, limit: number): BoundedText {
  if (data.includes(0)) return binary(data, total)
  if (data.length === total && total <= limit)
    return { text: decode(data), truncated: false, shownBytes: total, headBytes: total, isText: true }
  const half = Math.floor(Math.min(limit, data.length) / 2)
  const head = data.subarray(0, characterEnd(data, half))
  const tail = data.subarray(characterStart(data, data.length - half))
  const shownBytes = head.length + tail.length
  const gap = `[... ${total - shownBytes} of ${total} bytes are left out here ...]`
  return {
    text: `${decode(head)}\n${gap}\n${decode(tail)}`,
    truncated: true,
    shownBytes,
    headBytes: head.length,
    isText: true,
  }
}

function binary(data: Uint8Array, total: number): BoundedText {
  const first = Buffer.from(data.subarray(0, 16)).toString('hex')
  return {
    text: `[${total} bytes of binary data, which begin with ${first} in hexadecimal]`,
    truncated: true,
    shownBytes: 16,
    headBytes: 0,
    isText: false,
  }
}

function decode(data: Uint8Array): string {
  const text = stripVTControlCharacters(new TextDecoder().decode(data))
  return text.replace(/\p{Cc}/gu, (character) => ('\n\r\t'.includes(character) ? character : '\uFFFD'))
}

/** `end`, or up to three bytes less where it would cut a UTF-8 character. */
function characterEnd(data: Uint8Array, end: number): number {
  let start = end
  while (start > 0 && end - start < 3 && isContinuation(data[start])) start--
  return isContinuation(data[end]) ? start : end
}

/** `start`, or up to three bytes more where it would begin within a UTF-8 character. */
function characterStart(data: Uint8Array, start: number): number {
  let end = start
  while (end < data.length && end - start < 3 && isContinuation(data[end])) end++
  return end
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80
}
