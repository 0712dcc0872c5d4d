import { assignmentsIn, isSecretName, mayAssign } from './secret-names.ts'
import { type Matcher, createMatcher } from './matcher.ts'

/** What stands where a secret was. */
export const redactedMark = '[redacted]'

/** Cuts secrets out of what a machine gave, before a model, an event, a record or a journal has it. */
export interface Redactor {
  /** The text without secrets. */
  text(text: string): string
  /** The text without the secrets that were given, in every encoding; nothing is guessed by names. */
  known(text: string): string
  /** The bytes from `start` to `end`, without what a secret has in them that may begin before or end after. */
  within(data: Uint8Array, start: number, end: number): Buffer
  /** A value of JSON without secrets in its texts and keys. */
  value(value: unknown): unknown
  /** For output that comes in pieces: a secret is found across their borders. */
  stream(): RedactorStream
}

/** Output in pieces. What may be the beginning of a secret is held back until the next piece. */
export interface RedactorStream {
  /** What is known to hold no secret, of this piece and what was held back. */
  push(data: Uint8Array): Buffer
  /** The rest. */
  end(): Buffer
}

/** Most characters held back for the value of an assignment that has not ended. */
const maxHeld = 16_384

/** Secrets learned from assignments in output that one run remembers. */
const maxLearned = 200

/**
 * A redactor for the given secrets. A value assigned to a name that looks like a secret's (`DB_PASSWORD=...`) is cut out
 * too, and remembered, so that it is found again without its name and in other encodings.
 */
export function createRedactor(secrets: readonly string[]): Redactor {
  const all = new Set(secrets)
  const givenMatcher = createMatcher(secrets)
  let matcher = givenMatcher
  const learn = (value: string): void => {
    if (!looksRandom(value) || all.has(value) || all.size >= secrets.length + maxLearned) return
    all.add(value)
    matcher = createMatcher([...all])
  }
  const clean = (bytes: string): string => cut(bytes, [...assignedValues(bytes, learn), ...matcher.find(bytes)])
  const text = (given: string): string =>
    matcher.isEmpty && !mayAssign(given)
      ? given
      : Buffer.from(clean(Buffer.from(given).toString('latin1')), 'latin1').toString()
  const within = (data: Uint8Array, start: number, end: number): Buffer => {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1')
    const ranges = [...assignedValues(bytes, learn), ...matcher.find(bytes)]
    const touched = ranges
      .filter(([from, to]) => to > start && from < end)
      .map(([from, to]): Range => [Math.max(from, start) - start, Math.min(to, end) - start])
    return Buffer.from(cut(bytes.slice(start, end), touched), 'latin1')
  }
  const known = (given: string): string => {
    const bytes = Buffer.from(given).toString('latin1')
    return Buffer.from(cut(bytes, [...givenMatcher.find(bytes)]), 'latin1').toString()
  }
  return { text, known, within, value: (value) => deep(value, text), stream: () => stream(() => matcher, learn) }
}

/** A word such as `required` must not be cut out of everything that follows. */
function looksRandom(value: string): boolean {
  return value.length >= 12 && /\d/.test(value) && /[A-Za-z]/.test(value)
}

/** Values that an assignment shows without one being there. */
const noValue = /^(?:\[redacted\]|\[secret\]|true|false|null|none|undefined|\*+|<[^>]*>|\$\{?\w+\}?|x{3,})$/i

type Range = readonly [start: number, end: number]

function* assignedValues(bytes: string, learn: (value: string) => void): Generator<Range> {
  for (const { value, start } of assignmentsIn(bytes)) {
    if (noValue.test(value)) continue
    learn(Buffer.from(value, 'latin1').toString())
    yield [start, start + value.length]
  }
}

/** The text with each range replaced; ranges may overlap. */
function cut(text: string, ranges: Range[]): string {
  if (ranges.length === 0) return text
  let result = ''
  let at = 0
  for (const [start, end] of ranges.sort(([one], [other]) => one - other)) {
    if (start >= at) result += text.slice(at, start) + redactedMark
    at = Math.max(at, end)
  }
  return result + text.slice(at)
}

function stream(matcher: () => Matcher, learn: (value: string) => void): RedactorStream {
  let held = ''
  /** What can be shown of a text; undefined: all of it, as it is. */
  const take = (text: string, final: boolean): Buffer | undefined => {
    const ranges = [...assignedValues(text, learn), ...matcher().find(text)]
    let until = final ? text.length : Math.min(matcher().safeLength(text), openAssignment(text))
    // Nothing is decided within what is held back; what begins before it is taken whole.
    let decided: Range[] = []
    for (let before = -1; before !== decided.length;) {
      before = decided.length
      decided = ranges.filter(([start]) => start < until)
      for (const [, end] of decided) until = Math.max(until, end)
    }
    if (decided.length === 0 && until === text.length) {
      held = ''
      return undefined
    }
    held = text.slice(until)
    return Buffer.from(cut(text.slice(0, until), decided), 'latin1')
  }
  return {
    push: (data) => {
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      const before = held
      const shown = take(before + bytes.toString('latin1'), false)
      // Most output has nothing in it: the bytes themselves are passed on, and no copy of them is left behind.
      return shown ?? (before === '' ? bytes : Buffer.concat([Buffer.from(before, 'latin1'), bytes]))
    },
    end: () => {
      const before = held
      return take(before, true) ?? Buffer.from(before, 'latin1')
    },
  }
}

/** Where a name or an assignment begins that the end of the text may have cut. */
function openAssignment(text: string): number {
  const from = Math.max(0, text.length - maxHeld)
  const tail = text.slice(from)
  const line = Math.max(tail.lastIndexOf('\n'), -1) + 1
  const last = tail.slice(line)
  const open = /(?<![\w.-])[\w.-]{1,128}["']?\s{0,4}(?:[=:]\s{0,4}(?:"[^"]*|'[^']*|[^\s"',;]*))?$/.exec(last)
  if (open === null) return text.length
  const [name = ''] = /^[\w.-]+/.exec(open[0]) ?? []
  const isWhole = /[=:]/.test(open[0].slice(name.length))
  if (isWhole && !isSecretName(name)) return text.length
  return from + line + open.index
}

function deep(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map((each) => deep(each, change))
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [change(key), deep(each, change)]))
}
