import { isUtf8 } from 'node:buffer'

const SLASH = 0x2f

/** A name in a folder. */
export function childPath(folder: Buffer, name: Buffer): Buffer {
  if (folder.length === 0) return name
  return folder.at(-1) === SLASH ? Buffer.concat([folder, name]) : Buffer.concat([folder, Buffer.from('/'), name])
}

/** An absolute path taken apart: the folder, and the last name in it; slashes at the end do not count. */
export function splitPath(path: Buffer): { folder: Buffer; name: Buffer } {
  let end = path.length
  while (end > 1 && path[end - 1] === SLASH) end -= 1
  const whole = path.subarray(0, end)
  const at = whole.lastIndexOf(SLASH)
  return { folder: at <= 0 ? Buffer.from('/') : whole.subarray(0, at), name: whole.subarray(at + 1) }
}

/** A text as it crosses the wire: as UTF-8, and its bytes where they are not. */
export function wireText<Name extends string>(name: Name, bytes: Buffer): WireText<Name> {
  const text = isUtf8(bytes)
    ? { [name]: bytes.toString() }
    : { [name]: bytes.toString(), [`${name}Base64`]: bytes.toString('base64') }
  return text as WireText<Name>
}

type WireText<Name extends string> = Record<Name, string> & Partial<Record<`${Name}Base64`, string>>
