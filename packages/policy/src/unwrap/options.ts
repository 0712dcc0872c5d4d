import { type Word, mayBeOption, valueOf } from '../parse/simple-command.ts'

/** Which options a program takes, as far as somebody has to know: `a` is `-a`, longer names are `--name`. */
export interface OptionTable {
  /** Options without a value. */
  readonly flags: ReadonlySet<string>
  /** Options with one. */
  readonly values: ReadonlySet<string>
}

/** An option that was given. */
export interface GivenOption {
  /** Without dashes. */
  readonly name: string
  readonly value: Word | undefined
}

/** A command line up to its first operand. */
export interface Leading {
  readonly options: readonly GivenOption[]
  /** What comes after the options. */
  readonly rest: readonly Word[]
  /** What is not in the table; undefined: all is. */
  readonly unknown: string | undefined
}

/** A table from two lists of names. */
export function optionTable(flags: string, values = ''): OptionTable {
  return { flags: namesOf(flags), values: namesOf(values) }
}

/** The names of a list with blanks between them. */
export function namesOf(list: string): ReadonlySet<string> {
  return new Set(list.split(' ').filter((name) => name !== ''))
}

/** Reads options up to the first operand, as programs do that run what comes after it. */
export function readLeading(words: readonly Word[], table: OptionTable): Leading {
  const options: GivenOption[] = []
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as Word
    const text = valueOf(word)
    if (text === undefined) {
      const unknown = mayBeOption(word) || word.splits ? `${word.text} may be an option` : undefined
      return { options, rest: words.slice(index), unknown }
    }
    if (text === '--') return { options, rest: words.slice(index + 1), unknown: undefined }
    if (!text.startsWith('-') || text === '-') return { options, rest: words.slice(index), unknown: undefined }
    const read = readOption(text, words[index + 1], table)
    options.push(...read.options)
    if (read.unknown) return { options, rest: words.slice(index + 1), unknown: `its option ${text} is not known` }
    if (read.takesNext) index += 1
  }
  return { options, rest: [], unknown: undefined }
}

interface ReadOption {
  readonly options: readonly GivenOption[]
  readonly takesNext: boolean
  readonly unknown: boolean
}

function readOption(text: string, next: Word | undefined, { flags, values }: OptionTable): ReadOption {
  if (text.startsWith('--')) {
    const [name = '', ...attached] = text.slice(2).split('=')
    const value = attached.length > 0 ? attachedWord(attached.join('=')) : undefined
    if (flags.has(name)) return { options: [{ name, value }], takesNext: false, unknown: false }
    if (!values.has(name)) return { options: [], takesNext: false, unknown: true }
    return { options: [{ name, value: value ?? next }], takesNext: value === undefined, unknown: false }
  }
  const options: GivenOption[] = []
  for (let index = 1; index < text.length; index += 1) {
    const name = text[index] as string
    if (values.has(name)) {
      const attached = text.slice(index + 1)
      const value = attached === '' ? next : attachedWord(attached)
      return { options: [...options, { name, value }], takesNext: attached === '', unknown: value === undefined }
    }
    if (!flags.has(name)) return { options, takesNext: false, unknown: true }
    options.push({ name, value: undefined })
  }
  return { options, takesNext: false, unknown: false }
}

function attachedWord(text: string): Word {
  return { text, values: [text], start: text, splits: false }
}
