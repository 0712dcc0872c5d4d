import { chmodSync, readdirSync, statSync } from 'node:fs'
import { chmodEntry } from '../disk/attributes.ts'
import type { RealDisk } from '../disk/real-disk.ts'
import { codeOf } from '../disk/system-error.ts'

/**
 * Upper directories that commands closed to their own user. The daemon of that user owns them, so it opens them while it looks into them,
 * and closes them again.
 */
export class UpperDirectories implements Disposable {
  readonly #opened: { path: Buffer; mode: number }[] = []

  /** Names in a directory of an upper one, which can be reached until the end. */
  list(upper: RealDisk, path: Buffer): readonly Buffer[] {
    const at = upper.folder(path)
    const mode = statSync(at).mode & 0o7777
    if ((mode & 0o500) === 0o500 || process.geteuid?.() === 0) return readdirSync(at, { encoding: 'buffer' })
    try {
      chmodSync(at, mode | 0o700)
      this.#opened.push({ path: upper.full(path), mode })
    } catch (error) {
      if (codeOf(error) !== 'EPERM') throw error
    }
    return readdirSync(at, { encoding: 'buffer' })
  }

  /** Closes them again, the innermost first. */
  [Symbol.dispose](): void {
    for (const { path, mode } of this.#opened.splice(0).toReversed()) chmodEntry(path, mode)
  }
}
