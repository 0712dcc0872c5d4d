import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Bytes of an output up to which it stays in memory. */
const KEPT_BYTES = 4096

/** What has to be closed when nothing holds an output of it any more. */
const files = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor))

/**
 * Outputs of a run that are too large to hold for thousands of machines: in a file without a name, which is gone with this process or
 * when nobody holds one of them any more. Each is read again when it is asked for.
 */
export class OutputSpill {
  readonly #folder: string
  #descriptor: number | undefined
  #bytes = 0

  constructor(folder = tmpdir()) {
    this.#folder = folder
  }

  /** The same object, whose named strings are read when they are looked at. Where the disk takes no more, they stay in memory. */
  spill<Value extends object>(value: Value, names: readonly (keyof Value & string)[]): Value {
    const spilled = { ...value }
    for (const name of names) {
      const text = value[name]
      if (typeof text !== 'string' || text.length <= KEPT_BYTES) continue
      const get = this.#keep(text)
      if (get !== undefined) Object.defineProperty(spilled, name, { get, enumerable: true, configurable: true })
    }
    return spilled
  }

  #keep(text: string): (() => string) | undefined {
    const bytes = Buffer.from(text)
    const offset = this.#bytes
    try {
      this.#descriptor ??= this.#open()
      for (let done = 0; done < bytes.length;)
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done)
    } catch {
      return undefined
    }
    this.#bytes += bytes.length
    return () => this.#read(offset, bytes.length)
  }

  #read(offset: number, length: number): string {
    const bytes = Buffer.allocUnsafe(length)
    for (let done = 0; done < length;) {
      const read = readSync(this.#descriptor ?? -1, bytes, done, length - done, offset + done)
      if (read === 0) throw new Error('The file of outputs is shorter than it was.')
      done += read
    }
    return bytes.toString()
  }

  #open(): number {
    const path = join(this.#folder, `cmdop-outputs-${randomUUID()}`)
    const descriptor = openSync(path, 'wx+', 0o600)
    unlinkSync(path)
    files.register(this, descriptor)
    return descriptor
  }
}
