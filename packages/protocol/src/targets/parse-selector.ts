import { CmdopError } from '../errors.ts'
import { LabelKey } from './labels.ts'
import { MAX_SELECTOR_DEPTH, type Selector } from './selector.ts'

/** Characters of a selector at most. */
const MAX_CHARACTERS = 8192

/**
 * Reads a selector: `web-1`, `web-*`, `role=web,env!=dev`, `zone in (a,b)`, `zone notin (c)`, `role=web or name-of-one`,
 * `not (role=db)`, `*` for all. A comma and `and` bind closer than `or`; values may have `*` and `?`; `env=*` is every machine
 * that has the label. Throws `validation`, and says where.
 */
export function parseSelector(text: string): Selector {
  if (text.length > MAX_CHARACTERS)
    throw new CmdopError(
      'validation',
      `Expected a selector of at most ${MAX_CHARACTERS} characters, got ${text.length}.`,
    )
  const tokens = tokenize(text)
  const reader = new Reader(text, tokens)
  const selector = reader.either(0)
  reader.end()
  return selector
}

interface Token {
  readonly text: string
  readonly at: number
}

const TOKEN = /\s*(?:(!=|==?|[(),!])|([a-z0-9._/:*?@+-]+))/giy

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  const end = text.trimEnd().length
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex
    const found = TOKEN.exec(text)
    if (found === null) throw unexpected(text, at)
    const token = found[1] ?? found[2] ?? ''
    tokens.push({ text: token, at: TOKEN.lastIndex - token.length })
  }
  return tokens
}

function unexpected(text: string, at: number, expected = 'a machine, a label or an operator'): CmdopError {
  const found = text.slice(at).trim()
  const shown = found === '' ? 'its end' : `'${found.slice(0, 40)}'`
  return new CmdopError('validation', `The selector '${text.slice(0, 200)}': expected ${expected}, got ${shown}.`)
}

/** Whether only machines by their names are in it, so that a comma would mean that a machine is both. */
const isMachine = (selector: Selector | undefined) => selector !== undefined && 'machine' in selector

class Reader {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text
    this.#tokens = tokens
  }

  either(depth: number): Selector {
    const any = [this.#both(depth)]
    while (this.#takes('or')) any.push(this.#both(depth))
    return only(any) ?? { any }
  }

  end(): void {
    if (this.#next < this.#tokens.length) throw this.#unexpected("',', 'and', 'or' or the end")
  }

  #both(depth: number): Selector {
    const all = [this.#term(depth)]
    for (;;) {
      const isComma = this.#takes(',')
      if (!isComma && !this.#takes('and')) return only(all) ?? { all }
      all.push(this.#term(depth))
      if (isMachine(all.at(-2)) && isMachine(all.at(-1)))
        throw this.#refused(`no machine is both; for several machines write 'web-1 or web-2', or name each by itself.`)
    }
  }

  #term(depth: number): Selector {
    if (depth > MAX_SELECTOR_DEPTH) throw this.#refused(`it is nested deeper than ${MAX_SELECTOR_DEPTH}.`)
    if (this.#takes('not') || this.#takes('!')) return { not: this.#term(depth + 1) }
    if (!this.#takes('(')) return this.#comparison()
    const inner = this.either(depth + 1)
    this.#expect(')')
    return inner
  }

  #comparison(): Selector {
    const name = this.#word('a machine or a label')
    if (this.#takes('=') || this.#takes('==')) return this.#label(name, [this.#value()])
    if (this.#takes('!=')) return { not: this.#label(name, [this.#value()]) }
    if (this.#takes('in')) return this.#label(name, this.#values())
    if (this.#takes('notin')) return { not: this.#label(name, this.#values()) }
    return name === '*' ? { all: [] } : { machine: name }
  }

  #label(label: string, values: readonly string[]): Selector {
    if (LabelKey.safeParse(label).success) return { label, in: values }
    throw this.#refused(`'${label}' is no name of a label.`)
  }

  #values(): string[] {
    this.#expect('(')
    const values = [this.#value()]
    while (this.#takes(',')) values.push(this.#value())
    this.#expect(')')
    return values
  }

  /** May be empty: `env=` is the label without a value. */
  #value(): string {
    const next = this.#tokens[this.#next]?.text
    return next === undefined || /^[(),!=]/.test(next) ? '' : this.#word('a value')
  }

  #word(expected: string): string {
    const token = this.#tokens[this.#next]
    if (token === undefined || /^[(),!=]/.test(token.text)) throw this.#unexpected(expected)
    this.#next += 1
    return token.text
  }

  #takes(text: string): boolean {
    if (this.#tokens[this.#next]?.text.toLowerCase() !== text) return false
    this.#next += 1
    return true
  }

  #expect(text: string): void {
    if (!this.#takes(text)) throw this.#unexpected(`'${text}'`)
  }

  #unexpected(expected: string): CmdopError {
    return unexpected(this.#text, this.#tokens[this.#next]?.at ?? this.#text.length, expected)
  }

  #refused(why: string): CmdopError {
    return new CmdopError('validation', `The selector '${this.#text.slice(0, 200)}': ${why}`)
  }
}

function only(selectors: readonly Selector[]): Selector | undefined {
  return selectors.length === 1 ? selectors[0] : undefined
}
