import { chmodSync, lstatSync, readdirSync } from 'node:fs'
import { codeOf } from '../disk/system-error.ts'

/**
 * Upper directories that commands closed to their own user. The daemon of that user owns them, so it opens them while it looks into them,
 * and closes them again.
 */
export class UpperDirectories implements Disposable {
  readonly #opened: { path: Buffer; mode: number }[] = []

  /** Names in a directory, which can be reached until the end. */
  list(path: Buffer): readonly Buffer[] {
    const mode = lstatSync(path).mode & 0o7777
    if ((mode & 0o500) === 0o500 || process.geteuid?.() === 0) return readdirSync(path, { encoding: 'buffer' })
    try {
      chmodSync(path, mode | 0o700)
      this.#opened.push({ path, mode })
    } catch (error) {
      if (codeOf(error) !== 'EPERM') throw error
    }
    return readdirSync(path, { encoding: 'buffer' })
  }

  /** Closes them again, the innermost first. */
  [Symbol.dispose](): void {
    for (const { path, mode } of this.#opened.splice(0).toReversed()) chmodSync(path, mode)
  }
}
