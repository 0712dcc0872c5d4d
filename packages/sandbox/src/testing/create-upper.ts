import { mkdirSync } from 'node:fs'
import { tryWriteAttributes, writeMtime } from '../disk/attributes.ts'
import { readState } from '../disk/entry-state.ts'

/**
 * Makes the upper directory of an overlay over `root`. What a view's top directory is comes from the upper one, so it gets
 * everything of the real one: owner (where it can be given), mode, access lists, times.
 */
export function createUpper(root: string, upper: string): void {
  mkdirSync(upper, { mode: 0o700 })
  const path = Buffer.from(upper)
  const real = readState(Buffer.from(root))
  const made = readState(path)
  if (!real || !made) return
  const xattrs = new Map([...real.xattrs].filter(([name]) => !/^(trusted|user)\.overlay\./.test(name)))
  tryWriteAttributes(path, { ...real, xattrs }, made)
  writeMtime(path, real.mtimeNs)
}
