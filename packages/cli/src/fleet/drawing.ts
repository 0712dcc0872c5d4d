import { writeStderr } from '../terminal.ts'

/** Lines at the end of a terminal, in the place of those drawn before. A terminal that is slow is left alone meanwhile. */
export class Drawing {
  #height = 0
  #writing: Promise<void> | undefined

  draw(lines: readonly string[]): void {
    if (this.#writing !== undefined) return
    const above = this.#above()
    this.#height = lines.length
    const text = lines.map((line) => `${line}\n`).join('')
    this.#writing = writeStderr(`${above}${text}`).finally(() => (this.#writing = undefined))
  }

  async remove(): Promise<void> {
    await this.#writing
    await writeStderr(this.#above())
    this.#height = 0
  }

  /** To where the drawing begins, with nothing left of it. */
  #above(): string {
    return this.#height === 0 ? '\r\u001b[J' : `\r\u001b[${this.#height}A\u001b[J`
  }
}
