/** Paths are bytes everywhere: a name on Linux need not be UTF-8. Relative paths have no leading slash; '' is the root itself. */

const SLASH = 0x2f
const slash = Buffer.from('/')
const nul = Buffer.alloc(1)

/** The bytes with a NUL behind, as C functions take them. */
export function zeroEnded(path: Buffer): Buffer {
  return Buffer.concat([path, nul])
}

/** `name` in `directory`; an empty side gives the other. */
export function joinBytes(directory: Buffer, name: Buffer): Buffer {
  if (directory.length === 0) return name
  if (name.length === 0) return directory
  return directory.at(-1) === SLASH ? Buffer.concat([directory, name]) : Buffer.concat([directory, slash, name])
}

/** The directory that a relative path is in; '' at the top. */
export function parentOf(path: Buffer): Buffer {
  const at = path.lastIndexOf(SLASH)
  return at < 0 ? path.subarray(0, 0) : path.subarray(0, at)
}

/** The last name of a path. */
export function nameOf(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(SLASH) + 1)
}

/** Names as every walk takes them, whatever order a directory gives them in. */
export function inOrder(names: readonly Buffer[]): readonly Buffer[] {
  return names.toSorted((one, other) => Buffer.compare(one, other))
}

/** True for the path itself and all below it. */
export function isWithin(path: Buffer, directory: Buffer): boolean {
  if (directory.length === 0 || (directory.length === 1 && directory[0] === SLASH)) return true
  if (!path.subarray(0, directory.length).equals(directory)) return false
  return path.length === directory.length || path[directory.length] === SLASH
}

/** A path as a key of a map: every byte one character, so that nothing is lost. */
export function keyOf(path: Buffer): string {
  return path.toString('latin1')
}

/** The path for the wire: as text, and its bytes too where the text does not hold them. */
export function wirePath(path: Buffer): { path: string; pathBase64?: string } {
  const text = path.toString()
  return Buffer.from(text).equals(path) ? { path: text } : { path: text, pathBase64: path.toString('base64') }
}
