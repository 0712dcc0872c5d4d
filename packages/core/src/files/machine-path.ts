import { CmdopError, type FilePath } from '@cmdop/protocol'
import type { MachinePath } from './machine-files.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const SLASH = 0x2f

/** A path as it crosses the wire. Throws `validation` for one that is not absolute. */
export function wirePath(path: MachinePath): FilePath {
  return wireText(absolute(path))
}

/** The bytes of a path. Throws `validation` for one that is not absolute. */
export function absolute(path: MachinePath): Uint8Array {
  const bytes = pathBytes(path)
  if (bytes[0] === SLASH && !bytes.includes(0)) return bytes
  throw new CmdopError('validation', `Expected an absolute path without NUL, got "${shownPath(path)}".`)
}

/** Bytes as the wire has them: as text where they are UTF-8. */
export function wireText(bytes: Uint8Array): string | { base64: string } {
  try {
    return decoder.decode(bytes)
  } catch {
    return { base64: toBase64(bytes) }
  }
}

/** A text of an answer, whose bytes are beside it where they are not UTF-8. */
export function bytesOf(text: string, base64: string | undefined): Uint8Array {
  return base64 === undefined
    ? encoder.encode(text)
    : Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}

function pathBytes(path: MachinePath): Uint8Array {
  return typeof path === 'string' ? encoder.encode(path) : path
}

/** A path for people: a byte that is not UTF-8 as U+FFFD. */
export function shownPath(path: MachinePath): string {
  return typeof path === 'string' ? path : new TextDecoder().decode(path)
}

/** A path below a folder. */
export function joinPath(folder: MachinePath, below: Uint8Array): Uint8Array {
  const base = pathBytes(folder)
  if (below.length === 0) return base
  const separator = base.at(-1) === SLASH ? 0 : 1
  const whole = new Uint8Array(base.length + separator + below.length)
  whole.set(base)
  if (separator === 1) whole[base.length] = SLASH
  whole.set(below, base.length + separator)
  return whole
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}
