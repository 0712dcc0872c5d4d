import { timeOfLine } from './log-time.ts'

/** Longest line that is kept, in bytes. */
const maxLine = 8_192

/** Most bytes of lines that are kept. */
const maxKept = 1_048_576

interface FilterOptions {
  /** The newest lines kept. */
  readonly limit: number
  readonly now: number
  readonly since?: number | undefined
  readonly until?: number | undefined
}

/** The newest lines of a log within a span of time, in bounded memory. A line without a time is of the one before it. */
export class LineFilter {
  readonly #options: FilterOptions
  readonly #kept: string[] = []
  #keptBytes = 0
  #matched = 0
  #within: boolean
  #rest = Buffer.alloc(0)

  constructor(options: FilterOptions) {
    this.#options = options
    // Without a bound at its beginning everything counts until a line says otherwise.
    this.#within = options.since === undefined
  }

  add(data: Buffer): void {
    let text = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data])
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
      this.#line(text.subarray(0, end))
      text = text.subarray(end + 1)
    }
    this.#rest = Buffer.from(text.subarray(0, 2 * maxLine))
  }

  /** The lines, and how many there were within the span. */
  end(): { lines: readonly string[]; matched: number } {
    if (this.#rest.length > 0) this.#line(this.#rest)
    this.#rest = Buffer.alloc(0)
    return { lines: this.#kept, matched: this.#matched }
  }

  #line(data: Buffer): void {
    const { since, until, now, limit } = this.#options
    const line = data.subarray(0, maxLine).toString().replace(/\r$/, '')
    const time = since === undefined && until === undefined ? undefined : timeOfLine(line, now)
    if (time !== undefined)
      this.#within = (since === undefined || time >= since) && (until === undefined || time <= until)
    if (!this.#within) return
    this.#matched += 1
    this.#kept.push(line)
    this.#keptBytes += line.length
    while (this.#kept.length > limit || this.#keptBytes > maxKept) this.#keptBytes -= this.#kept.shift()?.length ?? 0
  }
}
